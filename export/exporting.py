"""From a checkpoint to the artefacts: fold, export, check, write, compare, and only then give out."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from retinagan.export.fold import fold_batch_norm
from retinagan.export.onnx_file import build_onnx, check_onnx, write_metadata
from retinagan.export.parity import TOLERANCE, Difference, TorchAdapter, compare, require_parity
from retinagan.export.proof_images import Patches, drawn_retina, noise_patches, patches_of, patches_of_files
from retinagan.export.steps import Steps
from retinagan.runtime.adapters import EngineAdapter, OnnxRuntimeAdapter
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.spec import METADATA_KEY, ModelSpec, sha256_of, spec_path
from retinagan.train.checkpoint import Checkpoint, load_checkpoint

DEFAULT_THRESHOLD = 0.5
"""Taken where neither the user nor the checkpoint names an operating threshold."""


@dataclass(frozen=True)
class ExportOptions:
    """What the user may choose; None leaves it to the checkpoint.

    Parameters
    ----------
    name : str, optional
        The model's name and its file's; the trained system's, such as "retina-gan", if left out.
    threshold : float, optional
        Probability from which on a pixel is a vessel.
    patch : int, optional
        Side in pixels of the patches that the runtime cuts.
    overlap : float, optional
        Share of a patch's side that it has in common with the next.
    images : path, optional
        Folder of fundus images to compare on; drawn ones if left out.
    """

    name: str | None = None
    threshold: float | None = None
    patch: int | None = None
    overlap: float | None = None
    images: Path | None = None


@dataclass(frozen=True)
class Artefact:
    """An exported file and its spec, which stands beside it."""

    path: Path
    spec: ModelSpec

    def row(self) -> tuple[str, str, str, str, str]:
        """Give file, precision, size, largest difference and the start of the SHA-256, for people."""
        size = f"{self.path.stat().st_size / 1e6:.2f} MB"
        difference = f"{self.spec.proof['max_abs_difference']:.1e}"
        return str(self.path), self.spec.precision, size, difference, self.spec.sha256[:12]


def export_checkpoint(
    path: str | os.PathLike[str], out: str | os.PathLike[str], options: ExportOptions, steps: Steps
) -> list[Artefact]:
    """
    Export a checkpoint's generator to an FP32 ONNX file with its spec beside it.

    Parameters
    ----------
    path : str or path
        A checkpoint of `retina-train`.
    out : str or path
        Folder to write to; made if missing.
    options : ExportOptions
    steps : Steps
        Told of each step.

    Returns
    -------
    list of Artefact
        What was written. A failed step leaves nothing, and files of an earlier export as they were.

    Raises
    ------
    ModelError
        If the checkpoint cannot be used or exported, an option is out of range, or (`ParityError`) the
        exported model differs from torch.
    ImageError, InputError
        If the images to compare on cannot be used.
    OSError
        If the folder cannot be written to.
    """
    with steps.step("read checkpoint") as results:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that it then refuses
            checkpoint = load_checkpoint(Path(path))
        spec = model_spec(checkpoint, options, Path(path).stem)
        target = _writable(Path(out)) / spec.file
        chosen = options.threshold is not None or checkpoint.threshold is not None
        results.append(
            f"threshold {spec.threshold:g}{'' if chosen else ', as none was chosen: see --threshold'}"
        )
    with steps.step("fold BatchNorm"):
        folded = fold_batch_norm(checkpoint.generator)
    with steps.step("export to ONNX"):
        model = build_onnx(folded, spec.network_input.divisor)
        write_metadata(model, METADATA_KEY, spec.to_json())
    with steps.step("check graph") as results:
        check_onnx(model)
        results.append(f"{len(model.graph.node)} operators")
    with written_atomically(target) as model_file, written_atomically(spec_path(target)) as spec_file:
        with steps.step("write") as results:
            content = model.SerializeToString(deterministic=True)
            model_file.write_bytes(content)
            spec = replace(spec, sha256=sha256_of(model_file))
            results.append(f"{len(content) / 1e6:.2f} MB")
        with steps.step("compare with torch") as results:
            reference = TorchAdapter(checkpoint.generator, spec)
            with reference, OnnxRuntimeAdapter(model_file, spec) as candidate:
                difference = compare(reference, candidate, _patches(spec, options.images))
                spec = replace(spec, proof=_proof(difference, reference, candidate, options.images))
            results.append(f"{difference.patches} patches, at most {difference.largest:.1e} apart")
            require_parity(difference, spec.precision)
        spec.save(spec_file)
    return [Artefact(target, spec)]


def model_spec(checkpoint: Checkpoint, options: ExportOptions, name: str) -> ModelSpec:
    """
    Give the spec of the FP32 model that a checkpoint becomes, without hash and proof.

    Parameters
    ----------
    checkpoint : Checkpoint
    options : ExportOptions
        What it says goes before the checkpoint.
    name : str
        The model's name where neither the options nor the checkpoint's record have one.

    Raises
    ------
    ModelError
        If an option is out of range.
    """
    record: dict[str, Any] = dict(checkpoint.record)
    name = options.name or record.get("options", {}).get("model") or name
    tiling = checkpoint.tiling
    if options.patch is not None:
        tiling = replace(tiling, patch=options.patch)
    if options.overlap is not None:
        tiling = replace(tiling, overlap=options.overlap)
    threshold = checkpoint.threshold if options.threshold is None else options.threshold
    return ModelSpec(
        name=name,
        file=f"{name}.onnx",
        precision="fp32",
        threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
        preprocessing=checkpoint.preprocessing,
        network_input=checkpoint.network_input,
        tiling=tiling,
        training=record,
    )


def _patches(spec: ModelSpec, images: Path | None) -> Iterable[Patches]:
    real = patches_of_files(images, spec) if images else iter([patches_of(drawn_retina(), spec)])
    return chain(real, noise_patches(spec.network_input.divisor))


def _proof(
    difference: Difference, reference: EngineAdapter, candidate: EngineAdapter, images: Path | None
) -> dict[str, Any]:
    return {
        "reference": reference.description,
        "candidate": candidate.description,
        "compared_on": "the user's images and noise" if images else "a drawn image and noise",
        "patches": difference.patches,
        "max_abs_difference": difference.largest,
        "mean_abs_difference": difference.mean,
        "tolerance": TOLERANCE["fp32"],
    }


def _writable(folder: Path) -> Path:
    """Find out before the work that files can be made in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        return folder
