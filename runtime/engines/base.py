"""The contract that all engines keep: normalised patches and their ROI in, vessel probability out."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import EngineError, ImageError
from retinagan.runtime.model.spec import ModelSpec

PIXELS_PER_RUN = 512 * 512
"""The most pixels that an engine is given at once (but at least one patch); bounds its memory."""


class EngineAdapter(ABC):
    """An engine that has loaded a model.

    Many threads may call `infer` at once. `close` waits for running calls; later calls raise. A forked
    process cannot use its parent's engine, whose threads do not survive the fork.
    A subclass implements `_run` and `_close`, and calls ``super().__init__`` last, when it is ready to run.

    Attributes
    ----------
    spec : ModelSpec
        The model's spec.
    description : str
        The engine, its version and where it runs, in one line.
    selection : str
        Why `open_adapter` chose this engine; empty if there was no choice.
    """

    def __init__(self, spec: ModelSpec, description: str) -> None:
        self.spec = spec
        self.description = description
        self.selection = ""
        self._idle = threading.Condition()
        self._running = 0
        self._closed = False
        self._process = os.getpid()

    def infer(
        self,
        image: NDArray[np.float32],
        roi: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return the probability that a pixel belongs to a vessel.

        Parameters
        ----------
        image : (N, 3, height, width) float32 array
            Patches of the equalized image, RGB, normalised as the spec's `network_input` says; see
            `retinagan.runtime.steps.tensors`. Height and width are multiples of its divisor.
        roi : (N, 1, height, width) float32 array
            1 inside the retina, 0 outside.
        out : (N, 1, height, width) float32 array, optional
            Where to write the result, C-contiguous.

        Returns
        -------
        (N, 1, height, width) float32 array
            Values in [0, 1]: `out` if given, else a new array that later calls do not touch.

        Raises
        ------
        ImageError
            If an array has the wrong dtype or shape.
        EngineError
            If the engine is closed or fails.
        """
        self._check_inputs(image, roi)
        count, _, height, width = image.shape
        expected = (count, 1, height, width)
        if out is None:
            out = np.empty(expected, np.float32)
        _check_array("out", out, expected)
        if not (out.flags.c_contiguous and out.flags.writeable):
            raise ImageError("out: expected a writeable, C-contiguous array, such as numpy.empty makes")
        with self._in_use():
            at_once = self._patches_at_once(height, width)
            for first in range(0, count, at_once):
                part = slice(first, first + at_once)
                self._run(np.ascontiguousarray(image[part]), np.ascontiguousarray(roi[part]), out[part])
        return out

    def check_open(self) -> None:
        """Raise `EngineError` if the engine was closed, or was opened in another process."""
        if os.getpid() != self._process:
            raise EngineError(
                f'the engine of model "{self.spec.name}" was opened before a fork; open the model in the '
                "process that uses it"
            )
        if self._closed:
            raise EngineError(f'the engine of model "{self.spec.name}" is closed; open the model again')

    def close(self) -> None:
        """Wait for running calls, then free the engine; later calls do nothing."""
        if os.getpid() != self._process:
            return
        with self._idle:
            if self._closed:
                return
            self._closed = True
            self._idle.wait_for(lambda: self._running == 0)
        self._close()

    def __enter__(self) -> "EngineAdapter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Run the engine on checked, contiguous arrays and write into `out`; called from many threads."""

    @abstractmethod
    def _close(self) -> None:
        """Free the engine's resources; called once, when nothing is running."""

    def _patches_at_once(self, height: int, width: int) -> int:
        """Return the largest number of patches of this size to pass to `_run` at once, at least 1."""
        return max(1, PIXELS_PER_RUN // (height * width))

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the engine from being freed during a call."""
        self.check_open()  # before taking the lock, which a fork may have left locked
        with self._idle:
            self.check_open()
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _check_inputs(self, image: NDArray[np.float32], roi: NDArray[np.float32]) -> None:
        _check_array("image", image, (None, 3, None, None))
        count, _, height, width = image.shape
        divisor = self.spec.network_input.divisor
        right_height, right_width = (max(1, -(-side // divisor)) * divisor for side in (height, width))
        if (height, width) != (right_height, right_width):
            raise ImageError(
                f"image: got height {height}, width {width}; both must be multiples of {divisor}: "
                f"pad to height {right_height}, width {right_width}"
            )
        _check_array("roi", roi, (count, 1, height, width))


def _check_array(name: str, array: object, shape: tuple[int | None, ...]) -> None:
    """Raise `ImageError` unless it is a float32 array of this shape (None: any length)."""
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    expected = f"expected a float32 array of shape ({lengths})"
    if not isinstance(array, np.ndarray):
        raise ImageError(f"{name}: got {type(array).__name__}; {expected}")
    fits = array.ndim == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.float32 or not fits:
        raise ImageError(f"{name}: got {array.dtype} of shape {array.shape}; {expected}")
