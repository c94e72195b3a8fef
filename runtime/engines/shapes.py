"""Which input shapes a model is compiled for, where compiling for one shape is faster than for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Shape = tuple[int, int, int, int]

MOST = 2
"""Number of shapes that a model is compiled for at once; each keeps its activations' memory."""

OUT_OF_USE = 100
"""Runs after which a shape that did not come makes room: compiling costs about one run."""

Compiled = TypeVar("Compiled")


class CompiledShapes(Generic[Compiled]):
    """A model compiled for the shapes in use, a few at most, and once for any other shape.

    A shape is compiled when it comes, while there is room. Where `MOST` are compiled, it takes the place of
    the one that has been out of use for the longest time, if that is more than `OUT_OF_USE` runs. Otherwise
    the model compiled for any shape runs it. So neither memory nor time for compiling grows with the number
    of cameras.

    Parameters
    ----------
    compile_for : callable
        Compiles the model for a shape (count, channels, height, width), or for all if it is None.
    usual : tuple of int, optional
        The shape to compile now. If left out, the model is compiled for any shape alone, as where the number
        of patches varies from image to image.
    """

    def __init__(self, compile_for: Callable[[Shape | None], Compiled], usual: Shape | None) -> None:
        self._compile_for = compile_for
        self._fixed: dict[Shape, Compiled] = {}
        self._any: Compiled | None = None
        self._last_run: dict[Shape, int] = {}
        self._runs = 0
        self._lock = threading.Lock()
        self._varies = usual is None
        if usual is None:
            self._any = compile_for(None)
        else:
            self._fixed[usual] = compile_for(usual)
            self._last_run[usual] = 0

    def compiled_for(self, shape: Shape) -> Compiled:
        """Return the model compiled for this shape or for any; from any thread."""
        with self._lock:
            self._runs += 1
            if shape not in self._fixed and not self._varies and shape[0] == 1 and self._has_room():
                self._fixed[shape] = self._compile_for(shape)
            if shape in self._fixed:
                self._last_run[shape] = self._runs
                return self._fixed[shape]
            if self._any is None:
                self._any = self._compile_for(None)
            return self._any

    def _has_room(self) -> bool:
        """Whether one more shape may be compiled, if need be after one that is out of use was freed."""
        if len(self._fixed) < MOST:
            return True
        oldest = min(self._last_run, key=self._last_run.__getitem__)
        if self._runs - self._last_run[oldest] <= OUT_OF_USE:
            return False
        del self._fixed[oldest], self._last_run[oldest]
        return True
