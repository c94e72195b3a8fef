"""A segmenter's steps that a plain function does in one, for tests that need no network."""

from collections.abc import Callable

import numpy as np

from retinagan.runtime.faults import FaultPolicy
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.stream.stages import Passing


class CalledSteps:
    """What `FrameSteps` are, with a function from a frame to its segmentation in place of the three steps."""

    def __init__(self, segment: Callable[[np.ndarray], Segmentation], noun: str = "image") -> None:
        self._segment = segment
        self._faults = FaultPolicy(noun)

    def prepare(self, passing: Passing) -> None:
        """Do nothing yet."""

    def infer(self, passing: Passing) -> None:
        """Do all."""
        if passing.error is None:
            frame = passing.frame.pixels if isinstance(passing.frame, Photograph) else passing.frame
            with self._faults.noted(passing), self._faults.engine_watched(passing):
                passing.segmentation = self._segment(frame)
                passing.clock.seconds.update(passing.segmentation.seconds)

    def regroup(self, passing: Passing) -> None:
        """Do nothing more."""
