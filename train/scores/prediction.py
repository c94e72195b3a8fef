"""Sources of the vessel maps to score: a model file, a checkpoint, or a folder of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError, ModelError, OptionError
from retinagan.runtime.images.reading import SUFFIXES, read_image
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.density import at_density
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.segmenter import Segmenter
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import Network, segment_square
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.images import LabelledImage
from retinagan.train.data.labels import map_values
from retinagan.train.nets.checkpoint import Checkpoint, load_checkpoint

MAP_SUFFIXES = ("_probability", "_vessels", "")
"""Endings of a map's name after the image's, in order of preference; the first two are `retina-run`'s."""

Predict = Callable[[LabelledImage], NDArray[np.float32]]
"""Return the probability map of an image, (H, W) in [0, 1]."""


@dataclass(frozen=True)
class Predictor:
    """A source of probability maps.

    Attributes
    ----------
    predict : callable
        Returns the probability map of a `LabelledImage`.
    thresholding : Thresholding or None
        How the source's maps find their threshold, if it says so.
    description : str
        The source as text for the user.
    resources : context manager
        Frees the source's resources.
    record : mapping
        The source's training record; empty if it has none.
    preprocessing : Preprocessing or None
        How the source prepares images; None for a folder of maps.
    """

    predict: Predict
    thresholding: Thresholding | None
    description: str
    resources: AbstractContextManager[object]
    record: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None

    @property
    def takes_angle(self) -> bool:
        """Whether the maps depend on the camera's angle."""
        return self.preprocessing is not None and self.preprocessing.pixels_per_degree is not None

    @property
    def assumed_angle(self) -> float:
        """The angle in degrees that is assumed if the camera's is unknown."""
        return (self.preprocessing or Preprocessing()).field_of_view

    def trained_on(self, data: str, name: str) -> bool:
        """Whether the source's record lists an image of a dataset, both by name, as training or held out."""
        alone = {"folder": self.record.get("data"), **self.record}
        return any(
            dataset.get("folder") == data
            and name in (*dataset.get("training_images", ()), *dataset.get("held_out_images", ()))
            for dataset in self.record.get("datasets", [alone])
        )


def open_predictor(
    source: str | Path,
    threads: int | None = None,
    *,
    device: str | None = None,
    engine: str | None = None,
    pixels_per_degree: float | None = None,
) -> Predictor:
    """Open a source of maps.

    Parameters
    ----------
    source : str or path
        A folder of maps, a checkpoint (`.pt`), or what `Segmenter` takes: an ONNX file or a bundled name.
    threads : int, optional
        Number of CPU threads; all if left out.
    device, engine : str, optional
        As for `Segmenter`; checkpoints and folders of maps have none.
    pixels_per_degree : float, optional
        Another density than the model's; see `at_density`.

    Raises
    ------
    ModelError, EngineError
        If the model cannot be loaded.
    OptionError
        If the source does not take an option, or its value.
    """
    path, density = Path(source), pixels_per_degree
    told = "" if density is None else f", {density:g} pixels per degree"
    if path.is_dir():
        _refuse(f"maps in {path}", device=device, engine=engine, pixels_per_degree=density)
        return Predictor(lambda image: read_map(path, image), None, f"maps in {path}", nullcontext())
    if path.suffix == ".pt":
        _refuse(f"checkpoint {path}, which runs in torch on the CPU", device=device, engine=engine)
        checkpoint = load_checkpoint(path)
        if density is not None:
            before = at_density(checkpoint.preprocessing, density, path.stem)
            checkpoint = replace(checkpoint, preprocessing=before)
        return checkpoint_predictor(checkpoint, f"{path}{told}", threads)
    try:
        find_model(source)
    except ModelError as error:
        raise ModelError(f"{error}; for maps, give their folder") from None
    segmenter = Segmenter(
        str(source),
        device=device or "auto",
        engine=engine or "auto",
        threads=threads,
        pixels_per_degree=density,
    )
    return Predictor(
        lambda image: segmenter(image.image, image.field_of_view).probability,
        Thresholding.of_spec(segmenter.spec),
        f"{source}, {segmenter.engine}{told}",
        segmenter,
        segmenter.spec.training,
        segmenter.spec.preprocessing,
    )


def _refuse(source: str, **given: object) -> None:
    """Raise OptionError if one of the options is given, which the source does not take."""
    for name, value in given.items():
        if value is not None:
            option = f"--{name.replace('_', '-')} {value}"
            raise OptionError(f"{option} has no effect on {source}: leave it out, or score an ONNX file")


def use_threads(threads: int) -> None:
    """Set the number of torch's CPU threads.

    Raises
    ------
    OptionError
        If the number is below 1.
    """
    if threads < 1:
        raise OptionError(f"--threads {threads}: expected a whole number from 1")
    torch.set_num_threads(threads)


def checkpoint_predictor(checkpoint: Checkpoint, name: str, threads: int | None = None) -> Predictor:
    """Return a predictor that runs a checkpoint's generator in torch, without exporting it."""
    if threads is not None:
        use_threads(threads)
    return Predictor(
        lambda image: probability_map(checkpoint, image.image, image.field_of_view),
        _thresholding(checkpoint),
        f"{name}, torch {torch.__version__}",
        nullcontext(),
        checkpoint.record,
        checkpoint.preprocessing,
    )


def _thresholding(checkpoint: Checkpoint) -> Thresholding | None:
    if checkpoint.threshold is None:
        return None
    return Thresholding(checkpoint.threshold, checkpoint.map_threshold)


@torch.inference_mode()
def probability_map(
    checkpoint: Checkpoint, image: NDArray[np.uint8], field_of_view: float | None = None
) -> NDArray[np.float32]:
    """Return the vessel probability at native size by the steps of `Segmenter`.

    Parameters
    ----------
    checkpoint : Checkpoint
        Generator, preprocessing and tiling.
    image : (H, W, 3) uint8
        RGB.
    field_of_view : float, optional
        The camera's angle in degrees; the preprocessing's assumption if left out.

    Returns
    -------
    (H, W) float32
        In [0, 1]; 0 outside the ROI.

    Raises
    ------
    NoRetinaError
        If the image shows no retina.
    """
    prepared = prepare(image, checkpoint.preprocessing, field_of_view=field_of_view)

    def infer(
        patches: NDArray[np.float32], roi: NDArray[np.float32], probability: NDArray[np.float32]
    ) -> None:
        logits = checkpoint.generator(torch.from_numpy(patches), torch.from_numpy(roi))
        probability[:] = torch.sigmoid(logits).numpy()

    network = Network(infer, checkpoint.network_input)

    return segment_square(prepared, checkpoint.tiling, network).probability


def read_map(folder: Path, image: LabelledImage) -> NDArray[np.float32]:
    """Read the map of an image from a folder: `<name>_probability.png`, `<name>_vessels.png` or `<name>.png`.

    Returns
    -------
    (H, W) float32
        In [0, 1]: grey levels divided by 255 or 65535; 0 and 1 for a map of two values or of classes.

    Raises
    ------
    ModelError
        If there is no map, it cannot be read, its size differs from the image's, its values are ambiguous, or
        the probabilities and vessels of one image contradict each other.
    """
    names = [f"{image.name}{ending}" for ending in MAP_SUFFIXES]
    found = [path for name in names for path in sorted(folder.glob(f"{escape(name)}.*")) if _is_image(path)]
    if not found:
        raise ModelError(f"{folder}: no map of {image.name}; expected one of {', '.join(names)} as .png")
    values = _read_values(found[0], image)
    stems = [Path(name).name for name in names]
    vessels = [path for path in found[1:] if path.stem == stems[1]]
    if found[0].stem == stems[0] and vessels and not _agree(values, _read_values(vessels[0], image)):
        raise ModelError(
            f"{found[0]} and {vessels[0].name} contradict each other: no threshold gives these vessels from "
            "these probabilities; remove the one that is left from another run"
        )
    return values


def _read_values(path: Path, image: LabelledImage) -> NDArray[np.float32]:
    try:
        values = map_values(read_image(path).pixels)
    except ImageError as error:
        raise ModelError(f"{path}: {error}") from error
    if values.shape != image.truth.shape:
        raise ModelError(
            f"{path}: {values.shape[1]}x{values.shape[0]} pixels, but {image.name} "
            f"has {image.truth.shape[1]}x{image.truth.shape[0]}"
        )
    return values


def _agree(probability: NDArray[np.float32], vessels: NDArray[np.float32]) -> bool:
    """Whether one threshold turns the probabilities into these vessels, up to rounding."""
    inside, outside = probability[vessels > 0.5], probability[vessels <= 0.5]
    if inside.size == 0 or outside.size == 0:
        return True
    return bool(inside.min() >= outside.max() - 2 / 255 and inside.min() > 1 / 255)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES
