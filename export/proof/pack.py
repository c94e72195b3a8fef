"""The proof pack: a few images that may be given away, with FP32's probabilities, beside the exported files.

A device holds the engine that it builds to this pack, where there is neither torch nor onnx to ask.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.export.proof.images import ProofImage
from retinagan.runtime.errors import ImageError, ModelError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.model.verification import sha256_of

_MANIFEST = "proof.json"
_FULL = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class ProofPack:
    """A proof pack.

    Attributes
    ----------
    images : tuple of ProofImage
        With FP32's probability as `expected`, accurate to 1 / 131070.
    spec : ModelSpec
        The FP32 model's spec.
    """

    images: tuple[ProofImage, ...]
    spec: ModelSpec


def pack_folder(artefact: Path, spec: ModelSpec) -> Path:
    """Return the folder of an artefact's pack: beside the artefact, named after the model."""
    return artefact.parent / f"{spec.name}-proof"


def write_pack(
    folder: Path, spec: ModelSpec, images: Sequence[ProofImage], maps: Sequence[NDArray[np.float32]]
) -> str:
    """
    Write a pack into a new folder.

    Parameters
    ----------
    folder : path
    spec : ModelSpec
        The FP32 model's spec.
    images : sequence of ProofImage
    maps : sequence of (H, W) float32 arrays
        FP32's probabilities for the images.

    Returns
    -------
    str
        The SHA-256 of the pack's manifest, which holds the hashes of the other files.
    """
    folder.mkdir()
    files: list[dict[str, str]] = []
    for image, probability in zip(images, maps, strict=True):
        entry = {"name": image.name}
        for kind, array in (("image", image.pixels), ("probability", _as_uint16(probability))):
            path = folder / f"{image.name}_{kind}.png"
            stored = array[..., ::-1] if array.ndim == 3 else array
            path.write_bytes(cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
            entry[kind] = sha256_of(path)
        files.append(entry)
    manifest = folder / _MANIFEST
    values = {"spec": json.loads(replace(spec, scores={}, proof={}).to_json()), "images": files}
    manifest.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return sha256_of(manifest)


def read_pack(artefact: Path, spec: ModelSpec) -> ProofPack:
    """
    Read the pack beside an artefact, and check the hash of every file.

    Parameters
    ----------
    artefact : path
        An exported file of the model, in any precision.
    spec : ModelSpec
        Its spec.

    Raises
    ------
    ModelError
        If there is no pack, it belongs to another export, or a file has changed.
    """
    folder = pack_folder(artefact, spec)
    manifest = folder / _MANIFEST
    again = f"copy the folder {folder.name} from where {artefact.name} was exported"
    if not manifest.is_file():
        raise ModelError(f"{folder}: no proof pack there; {again}")
    if spec.proof.get("pack_sha256", sha256_of(manifest)) != sha256_of(manifest):
        raise ModelError(f"{folder}: this proof pack belongs to another export than {artefact.name}; {again}")
    try:
        values = json.loads(manifest.read_text(encoding="utf-8"))
        reference = ModelSpec.from_json(json.dumps(values["spec"]), manifest)
        images = tuple(_read_entry(folder, entry) for entry in values["images"])
    except (KeyError, TypeError, ValueError, ImageError) as error:
        raise ModelError(f"{folder}: not a complete proof pack ({error}); {again}") from None
    return ProofPack(images, reference)


def _read_entry(folder: Path, entry: dict[str, Any]) -> ProofImage:
    arrays = []
    for kind in ("image", "probability"):
        path = folder / f"{entry['name']}_{kind}.png"
        if sha256_of(path) != entry[kind]:
            raise ModelError(f"{path.name} has changed")
        arrays.append(read_image(path).pixels)
    pixels, levels = arrays
    return ProofImage(entry["name"], pixels, expected=(levels / np.float32(_FULL)).astype(np.float32))


def _as_uint16(probability: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(probability.astype(np.float64) * _FULL).astype(np.uint16)
