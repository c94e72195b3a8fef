"""One image on its way into the page: tiles first, in any thread, then the thumbnail."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.page.pictures import (
    THUMBNAIL_NAME,
    eight_bit,
    map_tiles,
    photograph_tiles,
    thumbnail,
)
from retinagan.runtime.segmenter import Segmentation


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws the pictures of one image.

    The thumbnail comes last, so that it tells whether all pictures are there.

    Parameters
    ----------
    folder : OutputFolder
        The output folder.
    name : str
        The folder of this image's pictures in it.
    image : (H, W, 3) uint8 array
        RGB image.
    result : Segmentation or None
        Its map; None if there is none.
    """

    folder: OutputFolder
    name: str
    image: NDArray[np.uint8]
    result: Segmentation | None

    def parts(self) -> list[Callable[[], None]]:
        """Return calls that write the tiles, in any threads; they raise what `OutputFolder.put` does."""
        photograph = [self._write_photograph]
        return photograph if self.result is None else [*photograph, self._write_map]

    def finish(self) -> None:
        """Write the thumbnail, when all tiles are written."""
        vessels = None if self.result is None else self.result.vessels
        self._write([(THUMBNAIL_NAME, thumbnail(self.image, vessels))])

    def _write_photograph(self) -> None:
        self._write(photograph_tiles(self.image))

    def _write_map(self) -> None:
        assert self.result is not None
        threshold = float(f"{self.result.threshold:g}")  # as run.csv has it
        values = eight_bit(self.result.probability, self.result.vessels, threshold)
        self._write(map_tiles(values))

    def _write(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        for name, content in pictures:
            self.folder.put(f"{self.name}/{name}", partial(bytes, content))


def is_drawn(folder: OutputFolder, name: str) -> bool:
    """Whether all pictures of an image are in the folder of this name."""
    return (folder.directory / name / THUMBNAIL_NAME).exists()
