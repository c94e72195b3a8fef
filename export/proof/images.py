"""Images for calibration and proof: the user's folders, and bundled synthetic ones."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.inputs import find_inputs
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of, picture_warnings

if TYPE_CHECKING:
    from retinagan.train.data.files import Sample

_SYNTHETIC = Path(__file__).parent


@dataclass(frozen=True)
class ProofImage:
    """A fundus image, with what is known about it.

    Attributes
    ----------
    name : str
        For messages.
    pixels : (H, W) or (H, W, 3) uint8 or uint16 array
        RGB or grey.
    truth, fov : (H, W) bool array or None
        The expert's vessels, and the field of view in which they are scored.
    expected : (H, W) float32 array or None
        FP32's probability, if known.
    """

    name: str
    pixels: NDArray[Any]
    truth: NDArray[np.bool_] | None = None
    fov: NDArray[np.bool_] | None = None
    expected: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class ImageFolder:
    """A folder of fundus images, with vessel maps if it is a dataset in a layout of `retina-train`.

    A dataset's folder stands for one of its halves; its maps and masks are not taken for images.

    Parameters
    ----------
    folder : path
        A dataset, a folder of images with all below it, or one image.
    split : {"training", "test"}
        Which half of a dataset to use.
    """

    folder: Path
    split: str

    def find_paths(self) -> list[Path]:
        """Find the image files; raise `InputError` if there are none, `DataError` if maps do not fit."""
        samples = self._samples()
        if samples is not None:
            return [sample.image for sample in samples]
        images = self._root / "images"
        source = images if images.is_dir() else self._root
        return [Path(found.path) for found in find_inputs([os.fspath(source)]).inputs]

    @property
    def has_truth(self) -> bool:
        """Whether there are vessel maps beside the images."""
        return self._samples() is not None

    def sha256(self) -> str:
        """Hash the images' contents in order, independent of their names."""
        digest = hashlib.sha256()
        for path in self.find_paths():
            try:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
            except OSError as error:
                raise ImageError(f"{path}: cannot be read ({error.strerror})") from None
        return digest.hexdigest()

    def __iter__(self) -> Iterator[ProofImage]:
        """Yield one image at a time.

        Raises
        ------
        InputError, DataError
            If there are no images, or the vessel maps do not fit the images.
        ImageError
            If one cannot be read or is scrambled; the message names it.
        """
        samples = self._samples()
        if samples is None:
            yield from self.without_truth()
            return
        from retinagan.train.data.images import load_labelled

        for sample in samples:
            labelled = load_labelled(sample)
            yield ProofImage(labelled.name, labelled.image, labelled.truth, labelled.fov)

    def without_truth(self) -> Iterator[ProofImage]:
        """Yield one image at a time, without vessel maps; raises as iteration does."""
        return map(read_proof_image, self.find_paths())

    def _samples(self) -> "list[Sample] | None":
        """Return images with their maps, or None if there are no maps; a small dataset is used whole."""
        from retinagan.train.data.files import ALL, NoneLeftError, find_samples
        from retinagan.train.data.layouts import layout_of

        if layout_of(self._root) is None:
            return None
        try:
            return find_samples(self._root, self.split if self._root == self.folder else ALL)
        except NoneLeftError:
            return find_samples(self._root, ALL)

    @property
    def _root(self) -> Path:
        split = self.folder / self.split
        return split if split.is_dir() else self.folder


def read_proof_image(path: Path) -> ProofImage:
    """Read an image without truth; raises as `read_sound`."""
    return ProofImage(path.stem, read_sound(path).pixels)


def read_sound(path: Path) -> Photograph:
    """Read a photograph as 8-bit RGB.

    Raises
    ------
    ImageError
        If it cannot be read, shows no retina, or is scrambled, as where the file is damaged and its decoder
        does not tell; the message names the file.
    """
    try:
        photograph = read_image(path).in_rgb8()
        picture = picture_of(photograph.pixels, find_retina(photograph.pixels))
    except ImageError as error:
        raise named(error, path) from error
    for warning in picture_warnings(picture):
        if warning.code == "scrambled":
            raise ImageError(f"{path}: {warning.message}; replace the file, or leave it out")
    return photograph


def named(error: ImageError, path: str | os.PathLike[str]) -> ImageError:
    """Return an error whose message names the file, once."""
    text = str(error)
    return error if text.startswith(f"{os.fspath(path)}: ") else type(error)(f"{path}: {text}")


def synthetic_images() -> Iterator[ProofImage]:
    """Yield the bundled synthetic fundus images, which are free to give away."""
    yield from map(read_proof_image, sorted(_SYNTHETIC.glob("*.jpg")))
