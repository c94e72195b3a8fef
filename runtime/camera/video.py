"""A video file of the pictures: whole under its name, or not there."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError, RetinaGanError

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
"""The codec of each kind of file, by its extension."""

_LONGEST_GAP = 10.0  # seconds that a picture may stand for the next


class VideoError(RetinaGanError):
    """The video cannot be written."""


class VideoFile:
    """A video of the first picture's size; larger and smaller ones are resized.

    Parameters
    ----------
    path : Path
        Ends with .mp4 or .avi.
    rate : float
        Pictures a second.
    paced : bool
        Whether pictures come at any time: each is then repeated or left out, so that the video runs as fast
        as they came. Gaps of more than 10 seconds are cut.
    overwrite : bool
        Whether a file of this name may be replaced.

    Raises
    ------
    OptionError
        If the name has another extension, its folder is missing or not writable, or it is taken.
    """

    def __init__(self, path: Path, rate: float, *, paced: bool, overwrite: bool = False) -> None:
        if path.suffix.lower() not in CODECS:
            raise OptionError(f"--out {str(path)!r}: expected a name that ends with {' or '.join(CODECS)}")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise OptionError(f"--out {str(path)!r}: its folder does not exist or cannot be written to")
        if os.path.lexists(path) and (path.is_dir() or not overwrite):
            raise OptionError(
                f"--out {str(path)!r} exists; choose another name, or replace it with --overwrite"
            )
        self._path, self._rate, self._paced = path, rate, paced
        self._unfinished = path.with_name(f".{path.stem}.{uuid4().hex[:12]}{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._due = 0.0  # the time of the next picture, if paced
        self.written = 0

    def show(self, picture: NDArray[np.uint8], at: float) -> None:
        """Add a picture, (H, W, 3) uint8 BGR, that came at this time in seconds.

        Raises
        ------
        VideoError
            If the file cannot be opened.
        """
        writer = self._writer or self._opened(picture, at)
        if self._size != (picture.shape[1], picture.shape[0]):
            # the writer silently drops other sizes
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        self._due = max(self._due, at - _LONGEST_GAP) if self._paced else at
        while self._due <= at:
            writer.write(picture)
            self.written += 1
            self._due += 1 / self._rate

    def close(self) -> None:
        """Complete the file, and give it its name.

        Raises
        ------
        VideoError
            If it cannot be read back, as after the disk was full.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            if not _is_readable(self._unfinished):
                raise VideoError(f"{str(self._path)!r} could not be written; is the disk full?")
            self._unfinished.replace(self._path)
        finally:
            self._unfinished.unlink(missing_ok=True)

    def _opened(self, picture: NDArray[np.uint8], at: float) -> cv2.VideoWriter:
        self._size, self._due = (picture.shape[1], picture.shape[0]), at
        code = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._unfinished), code, self._rate, self._size)
        if not writer.isOpened():
            raise VideoError(
                f"OpenCV cannot write {str(self._path)!r} with the codec "
                f"{CODECS[self._path.suffix.lower()]}; may its folder be written to? "
                "If so, try another extension"
            )
        self._writer = writer
        return writer


def _is_readable(path: Path) -> bool:
    capture = cv2.VideoCapture(str(path))
    there, _ = capture.read()
    capture.release()
    return bool(there)
