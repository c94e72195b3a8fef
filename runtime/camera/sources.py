"""Where frames come from: a camera of this machine, a video file, or a camera of the network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError, RetinaGanError

_SCHEMES = ("rtsp", "rtsps")
_EXPECTED = (
    "expected a camera's number such as 0, a device such as /dev/video0, a video file, or an rtsp:// URL"
)
_TIMEOUT = 10_000  # milliseconds in which a camera of the network must answer, and send a frame
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two attempts to reach it again
_COMPLETE = 0.95  # share of the frames that a file's header promises, which is an estimate in some formats


class SourceError(RetinaGanError):
    """A source cannot be opened, or gives no more frames."""


@dataclass(frozen=True)
class Source:
    """What a user names as the source of frames.

    Attributes
    ----------
    kind : {"camera", "file", "network"}
    address : int or str
        What OpenCV opens.
    name : str
        What messages call it: an URL without user, password and query.
    """

    kind: Literal["camera", "file", "network"]
    address: int | str
    name: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Return the source that a text names.

        Raises
        ------
        OptionError
            If it names none, or a file that does not exist.
        """
        if text.isascii() and text.isdigit():
            return cls("camera", int(text), f"camera {text}")
        scheme, separator, _ = text.partition("://")
        if separator:
            return _of_network(text, scheme.lower())
        path = Path(text)
        if path.is_char_device():
            return cls("camera", text, text)
        if text and path.is_dir():
            raise OptionError(f"source {text!r} is a folder; {_EXPECTED}; retina-run takes folders of images")
        if not path.is_file():
            raise OptionError(f"source {text!r}: there is no such file; {_EXPECTED}")
        return cls("file", str(path.absolute()), text)  # so that no name is taken for a protocol

    @property
    def live(self) -> bool:
        """Whether frames come whether or not they are taken."""
        return self.kind != "file"


def _of_network(text: str, scheme: str) -> Source:
    shown = "an URL"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host = f"[{host}]" if ":" in host else host
        shown = f"{scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
    except ValueError as error:
        raise OptionError(f"source: malformed URL ({error}); {_EXPECTED}") from None
    if scheme not in _SCHEMES or not host:
        raise OptionError(f"source {shown!r}: {_EXPECTED}")
    return Source("network", text, shown)


class Frames:
    """The frames of a source; an iterator for one thread, and `stop` for any other.

    A camera of the network that is lost is opened again, after 1 second, then after twice as long each time,
    up to 30 seconds. A file ends with its last frame.

    Parameters
    ----------
    source : Source
    say : callable
        Gets a line for each change, such as that the source is lost.

    Attributes
    ----------
    rate : float
        Frames a second that the source declares; 0 if it declares none.
    losses : int
        How often the source was lost.

    Raises
    ------
    SourceError
        If the source cannot be opened; on iteration, if a camera of this machine is lost.
    OptionError
        If this OpenCV cannot open sources of this kind.
    """

    def __init__(self, source: Source, say: Callable[[str], object]) -> None:
        self.source = source
        self.losses = 0
        self._say = say
        self._stopped = threading.Event()
        self._capture = cv2.VideoCapture()
        if source.kind == "network" and cv2.CAP_FFMPEG not in cv2.videoio_registry.getStreamBackends():
            raise OptionError(
                "this OpenCV was built without FFmpeg, which reads rtsp:// URLs; type  "
                "pip install --force-reinstall opencv-python-headless"
            )
        if not self._open():
            raise SourceError(_REASONS[source.kind].format(source.name))
        declared = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = declared if 0 < declared <= 1000 else 0.0

    def stop(self) -> None:
        """End the iteration after the current frame."""
        self._stopped.set()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield frames, (H, W, 3) uint8 BGR, each a new array."""
        number, lost, pause = 0, False, _FIRST_PAUSE
        while not self._stopped.is_set():
            there, frame = self._capture.read()
            if there:
                if lost:
                    self._say(f"{self.source.name} is back")
                number, lost, pause = number + 1, False, _FIRST_PAUSE
                yield np.asarray(frame, np.uint8)
                continue
            if self.source.kind == "file":
                self._say_if_short(number)
                return
            if self.source.kind == "camera":
                raise SourceError(f"{self.source.name} gives no more frames; is it still connected?")
            self.losses += not lost
            lost = True
            self._say(f"{self.source.name} is lost; trying again in {pause:g} s")
            if self._stopped.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._open()  # where this fails, there is no frame either

    def _say_if_short(self, number: int) -> None:
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if number < _COMPLETE * promised - 1:
            self._say(
                f"warning: {self.source.name} ends after {number} of about {promised:.0f} frames; "
                "it may be damaged"
            )

    def _open(self) -> bool:
        address, capture = self.source.address, self._capture
        if self.source.kind == "network":
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT]
            return bool(capture.open(address, cv2.CAP_FFMPEG, limits))
        if isinstance(address, str) and self.source.kind == "camera":
            return bool(capture.open(address, cv2.CAP_V4L2))
        return bool(capture.open(address))


_REASONS = {
    "camera": "{} cannot be opened; is it connected, and free, and may this user read it?",
    "file": "{} cannot be read as a video; expected one that OpenCV reads, such as .mp4 or .avi",
    "network": "{} does not answer as a camera; check address, user and password",
}
