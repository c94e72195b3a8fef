"""Calibration: the ranges of a model's activations on patches as on a device."""

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from retinagan.export.cache import cache_folder
from retinagan.export.graph.edit import named_nodes
from retinagan.export.progress import StepLog
from retinagan.export.proof.images import ImageFolder, named, read_sound
from retinagan.runtime import __version__
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.errors import ImageError, ModelError, OptionError
from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.model.parameters import Tiling
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import PatchBatch, PatchBuffers, cut_patches
from retinagan.runtime.steps.timing import StageClock

FEWEST_IMAGES = 4
"""With fewer images, the peculiarities of one camera or eye would set the ranges."""
PATCHES_PER_IMAGE = 8
"""Half of them the richest in vessels, half the poorest."""
_FORMAT = 1


@dataclass(frozen=True)
class Calibration:
    """The result of a calibration.

    Attributes
    ----------
    ranges : dict
        The smallest and largest value of each activation, by name.
    images, patches : int
        How many were used.
    rich_share, poor_share : float
        Mean share of vessel in the ROI of patches rich and poor in vessels, according to FP32.
    cached : bool
        Whether it was read from a cache.
    """

    ranges: dict[str, tuple[float, float]]
    images: int
    patches: int
    rich_share: float
    poor_share: float
    cached: bool = False

    def record(self) -> dict[str, Any]:
        """Return what the proof records about it."""
        return {
            "images": self.images,
            "patches": self.patches,
            "rich_in_vessels": 0.5,
            "vessel_share_rich": self.rich_share,
            "vessel_share_poor": self.poor_share,
        }


def calibration_images(folder: ImageFolder) -> list[Path]:
    """Return a folder's images for calibration; raise `InputError` or `OptionError` if too few."""
    paths = folder.find_paths()
    if len(paths) < FEWEST_IMAGES:
        raise OptionError(
            f"{folder.folder}: {len(paths)} image{'s' * (len(paths) != 1)} for calibration; INT8 needs at "
            f"least {FEWEST_IMAGES}, better 20 or more from the same camera"
        )
    return paths


def calibrate(model: onnx.ModelProto, spec: ModelSpec, folder: ImageFolder, log: StepLog) -> Calibration:
    """
    Measure the ranges of all activations of a model.

    Each image is prepared as in the runtime, and its patches with ROI are ranked by their share of vessel in
    FP32's own map. The richest and the poorest are used in equal parts.

    Parameters
    ----------
    model : onnx.ModelProto
        FP32, with BatchNorm folded.
    spec : ModelSpec
        The model's, with its hash.
    folder : ImageFolder
        Fundus images, like those of the camera.
    log : StepLog
        Told of each image.

    Returns
    -------
    Calibration
        Cached in the user's cache folder under the hashes of model and images, so that a later export with
        the same ones need not measure again.

    Raises
    ------
    InputError, ImageError, ModelError
        If there are no images or too few, or one cannot be used; the message names it.
    """
    paths = calibration_images(folder)
    key = {
        "format": _FORMAT,
        "package": __version__,
        "model": spec.sha256,
        "images": folder.sha256(),
        "patches_per_image": PATCHES_PER_IMAGE,
        "side": _side(spec),
    }
    cache = _cache_path(key)
    found = _read_cache(cache, key) or _measured(model, spec, log.counted(paths, "image"))
    if not found.cached:
        _write_cache(cache, key, found)
    return found


@dataclass(frozen=True)
class _Patch:
    """One patch: the share of vessel in its ROI, the smallest and largest value of each activation."""

    share: float
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]


def _measured(model: onnx.ModelProto, spec: ModelSpec, paths: Iterable[Path]) -> Calibration:
    session, names = _watched(model)
    poor: list[_Patch] = []
    rich: list[_Patch] = []
    images = 0
    for images, path in enumerate(paths, 1):  # noqa: B007
        patches = sorted(_patches(session, spec, path), key=lambda patch: patch.share)
        half = max(1, min(PATCHES_PER_IMAGE, len(patches)) // 2)
        poor += patches[:half]
        rich += patches[len(patches) - half :]
    chosen = poor + rich
    lowest = np.min([patch.lowest for patch in chosen], axis=0)
    highest = np.max([patch.highest for patch in chosen], axis=0)
    if not (np.isfinite(lowest).all() and np.isfinite(highest).all()):
        raise ModelError(f"{spec.name}: activations are NaN or infinite on the calibration images")
    ranges = {name: (float(low), float(high)) for name, low, high in zip(names, lowest, highest, strict=True)}
    rich_share, poor_share = (float(np.mean([patch.share for patch in part])) for part in (rich, poor))
    return Calibration(ranges, images, len(chosen), rich_share, poor_share)


def _watched(model: onnx.ModelProto) -> tuple[Any, list[str]]:
    """Open a session that returns the probability, then all activations' minima, then their maxima."""
    import onnxruntime

    watched = named_nodes(copy.deepcopy(model))
    graph = watched.graph
    names = [value.name for value in graph.input] + [name for node in graph.node for name in node.output]
    for operator in ("ReduceMin", "ReduceMax"):
        for name in names:
            output = f"{name}_{operator}"
            graph.node.append(helper.make_node(operator, [name], [output], name=output, keepdims=0))
            graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, []))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session, names


def _patches(session: Any, spec: ModelSpec, path: Path) -> Iterator[_Patch]:
    """Run the patches of an image that contain ROI."""
    try:
        patches = calibration_patches(read_sound(path), spec)
    except ImageError as error:
        raise named(error, path) from error
    for index in range(len(patches.roi)):
        image, roi = patches.image[index : index + 1], patches.roi[index : index + 1]
        probability, *extremes = session.run(None, {"image": image, "roi": roi})
        lowest, highest = np.array(extremes, np.float32).reshape(2, -1)
        share = float((probability[roi > 0] >= spec.threshold).mean())
        yield _Patch(share, lowest, highest)


def calibration_patches(frame: Frame, spec: ModelSpec) -> PatchBatch:
    """Cut a frame into patches of the calibration's side, without overlap; keep those with ROI."""
    prepared = prepare(frame, spec.preprocessing)
    buffers = PatchBuffers(PatchGrid.of(len(prepared.roi), Tiling(_side(spec), 0.0)))
    return cut_patches(prepared, spec.network_input, buffers, StageClock())


def _side(spec: ModelSpec) -> int:
    """Return the side of the calibration's patches: a quarter of the working square, as in the paper."""
    divisor = spec.network_input.divisor
    return max(divisor, spec.preprocessing.usual_size // 4 // divisor * divisor)


def _cache_path(key: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_folder() / f"calibration-{digest[:16]}.json"


def _read_cache(path: Path, key: dict[str, Any]) -> Calibration | None:
    """Return what is cached under exactly this key; ignore a cache that cannot be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("key") != key:
            return None
        ranges = {name: (float(low), float(high)) for name, (low, high) in values.pop("ranges").items()}
        return Calibration(ranges, **values, cached=True)
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _write_cache(path: Path, key: dict[str, Any], found: Calibration) -> None:
    """Cache the ranges; ignore a full disk."""
    values = {name: value for name, value in vars(found).items() if name != "cached"}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as temporary:
            temporary.write_text(json.dumps({"key": key, **values}, indent=1) + "\n", encoding="utf-8")
