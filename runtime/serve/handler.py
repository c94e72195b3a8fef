"""One image in, its maps and report out: what `retina-serve` and Triton's model do for a request."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime import __version__
from retinagan.runtime.errors import EngineError, ImageError, RetinaGanError
from retinagan.runtime.faults import FaultPolicy
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.images.reading import MAX_PIXELS, decode_image
from retinagan.runtime.segmenter import Segmentation, Segmenter
from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.tensors import FILE, IMAGE, INPUTS
from retinagan.runtime.serve.values import shown
from retinagan.runtime.steps.scale import check_field_of_view
from retinagan.runtime.steps.timing import StageClock

Value = str | int | float | bool

PARAMETERS = ("field_of_view", "frame")
"""The names of a request's parameters."""


@dataclass(frozen=True, eq=False)
class ImageRequest:
    """An image to segment: its pixels, or the content of its file.

    Attributes
    ----------
    image : (H, W, 3) uint8 array, optional
        RGB.
    file : bytes, optional
        An image file of a format that `retinagan.runtime.read_image` reads.
    field_of_view : float, optional
        The camera's angle in degrees, 10 to 220.
    frame : int, optional
        Which full-size image of the file, from 1; only with `file`.
    """

    image: NDArray[np.uint8] | None = None
    file: bytes | None = None
    field_of_view: float | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        if (self.image is None) == (self.file is None):
            came = "both" if self.file is not None else "none"
            raise RequestError(
                f'inputs: got {came} of "{IMAGE.name}" and "{FILE.name}"; expected one: '
                "pixels, or the content of an image file"
            )
        if self.field_of_view is not None:
            check_field_of_view(self.field_of_view)
        if self.frame is not None and self.file is None:
            raise RequestError(
                f'frame: it selects an image of a "{FILE.name}"; leave it out with "{IMAGE.name}"'
            )

    @classmethod
    def of(cls, inputs: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> ImageRequest:
        """Return the request that tensors and parameters make.

        Parameters
        ----------
        inputs : mapping of str to array
            By the names of `retinagan.runtime.serve.tensors.INPUTS`.
        parameters : mapping of str to str, int, float or bool
            "field_of_view" and "frame", both optional; numbers may come as text.

        Raises
        ------
        RequestError
            If an input or parameter is unknown, missing or malformed.
        ImageError
            If the angle is out of range.
        """
        known = [tensor.name for tensor in INPUTS]
        for name in inputs:
            if name not in known:
                raise RequestError(f"inputs: got {name!r}; expected {' or '.join(known)}")
        values = dict(parameters)
        angle, frame = values.pop("field_of_view", None), values.pop("frame", None)
        if values:
            raise RequestError(f"parameters: got {shown(sorted(values))}; expected {', '.join(PARAMETERS)}")
        file = inputs.get(FILE.name)
        return cls(
            image=inputs.get(IMAGE.name),
            file=None if file is None else file.reshape(-1)[0],
            field_of_view=None if angle is None else _number("field_of_view", angle),
            frame=None if frame is None else _whole("frame", frame),
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """The result of one image.

    Attributes
    ----------
    photograph : Photograph
        The image as read.
    segmentation : Segmentation
        Its maps.
    report : dict
        What is to be known about them, ready for JSON; see `Handler`.
    """

    photograph: Photograph
    segmentation: Segmentation
    report: dict[str, Any]

    def tensor(self, name: str) -> NDArray[Any]:
        """Return an output by its name in `retinagan.runtime.serve.tensors.OUTPUTS`."""
        if name == "report":
            return np.array([json.dumps(self.report).encode("ascii")], np.object_)
        array: NDArray[Any] = getattr(self.segmentation, name)
        return array

    def parameters(self) -> dict[str, Value]:
        """Return the report as flat values, as KServe V2 allows them in a response.

        Codes and sentences of warnings are joined as in `run.csv`, in "warnings" and "message"; times are in
        "seconds_read" and so on; what is unknown is left out.
        """
        flat = {key: value for key, value in self.report.items() if key not in ("warnings", "seconds")}
        doubts = self.report["warnings"]
        flat["warnings"] = " ".join(doubt["code"] for doubt in doubts)
        flat["message"] = "; ".join(doubt["message"] for doubt in doubts)
        flat |= {f"seconds_{stage}": seconds for stage, seconds in self.report["seconds"].items()}
        return {key: value for key, value in flat.items() if value is not None}


class Handler:
    """Answers requests with one segmenter; many threads may call it at once.

    The report of an answer has ``status`` ("done", or "warning" if there are doubts), ``warnings`` (code and
    message each), ``confidence``, ``field_of_view`` with ``field_of_view_from`` ("given", "file", "assumed"
    or "fixed"), ``working_size``, ``width``, ``height``, ``frames`` (full-size images in the file),
    ``model``, ``model_sha256``, ``engine``, ``threshold`` with ``threshold_from`` ("map" or "fixed"),
    ``version`` and ``seconds`` by stage.

    Parameters
    ----------
    segmenter : Segmenter
        For RGB images.
    field_of_view : float, optional
        The segmenter's own angle in degrees, if it has one.
    max_pixels : int
        Images with more pixels are refused, files before they are decoded.

    Attributes
    ----------
    lost : EngineError or None
        Why the engine is taken for broken; no later request can be expected to succeed.
    """

    def __init__(
        self, segmenter: Segmenter, field_of_view: float | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.segmenter = segmenter
        self._field_of_view = field_of_view
        self._max_pixels = max_pixels
        self._faults = FaultPolicy("image")
        self.lost: EngineError | None = None

    def answer(self, request: ImageRequest) -> Answer:
        """Segment a request's image.

        Raises
        ------
        ImageError
            If the image cannot be read or used; `NoRetinaError` if it shows no retina.
        EngineError
            If the engine failed. After several failures in a row the fault is not the images': `lost` is set.
        RetinaGanError
            After a defect of this package; the message asks to report it.
        """
        outcome = _Outcome()
        try:
            with self._faults.noted(outcome), self._faults.engine_watched(outcome):
                outcome.answer = self._segmented(request)
        except EngineError as error:
            self.lost = error
            raise
        if outcome.error is not None:
            raise outcome.error
        assert outcome.answer is not None
        return outcome.answer

    def _segmented(self, request: ImageRequest) -> Answer:
        clock = StageClock()
        with clock.stage("read"):
            photograph = self._photograph(request).in_rgb8()
        result = self.segmenter(photograph, request.field_of_view)
        seconds = {**clock.seconds, **result.seconds}
        return Answer(photograph, result, self._report(request, photograph, result, seconds))

    def _photograph(self, request: ImageRequest) -> Photograph:
        if request.file is not None:
            return decode_image(request.file, frame=request.frame, max_pixels=self._max_pixels)
        assert request.image is not None
        height, width = request.image.shape[:2]
        if height * width > self._max_pixels:
            raise ImageError(
                f"the image has {width}x{height} = {width * height} pixels; expected at most "
                f"{self._max_pixels}: make it smaller or crop it"
            )
        return Photograph(request.image, bits=8)

    def _report(
        self, request: ImageRequest, photograph: Photograph, result: Segmentation, seconds: dict[str, float]
    ) -> dict[str, Any]:
        spec = self.segmenter.spec
        doubts = (*photograph.warnings, *result.warnings)
        height, width = result.roi.shape
        return {
            "status": "warning" if doubts else "done",
            "warnings": [{"code": doubt.code, "message": doubt.message} for doubt in doubts],
            "confidence": None if math.isnan(result.confidence) else round(result.confidence, 6),
            "field_of_view": result.field_of_view,
            "field_of_view_from": self._angle_from(request, photograph, result),
            "working_size": result.working_size,
            "width": width,
            "height": height,
            "frames": photograph.frames,
            "model": spec.name,
            "model_sha256": spec.sha256,
            "engine": self.segmenter.engine,
            "threshold": result.threshold,
            "threshold_from": "fixed" if spec.map_threshold is None else "map",
            "version": __version__,
            "seconds": {stage: round(value, 6) for stage, value in seconds.items()},
        }

    def _angle_from(self, request: ImageRequest, photograph: Photograph, result: Segmentation) -> str:
        if result.field_of_view is None:
            return "fixed"
        if request.field_of_view is not None or self._field_of_view is not None:
            return "given"
        return "assumed" if photograph.field_of_view is None else "file"


@dataclass
class _Outcome:
    """What became of one image; see `FaultPolicy`."""

    answer: Answer | None = None
    error: RetinaGanError | None = None


def _number(name: str, value: object) -> float:
    """Return a parameter as a number; text may hold one, a boolean is none."""
    if not isinstance(value, bool | float | int | str) or isinstance(value, bool):
        raise RequestError(f"{name}: got {shown(value)}; expected a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise RequestError(f"{name}: got {shown(value)}; expected a number") from None


def _whole(name: str, value: object) -> int:
    """Return a parameter as a whole number from 1; text may hold one."""
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else 0
    except ValueError:
        number = 0
    if number < 1:
        raise RequestError(f"{name}: got {shown(value)}; expected a whole number from 1")
    return number
