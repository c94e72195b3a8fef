"""`retina-run` with a slow segmenter that computes nothing, for tests that stop it midway."""

import sys
import time

import numpy as np
from called_steps import CalledSteps

from retinagan.runtime import Segmentation, Segmenter
from retinagan.runtime.batch import cli, progress


def segment_at_once(frame):
    """Treat the whole frame as retina and its brighter half as vessels."""
    probability = frame[..., 1] / np.float32(255)
    return Segmentation(probability, probability >= 0.5, np.ones(probability.shape, bool), {"infer": 0.0})


def segment_slowly(frame):
    time.sleep(0.1)
    return segment_at_once(frame)


def run_by(segment, set_attribute=setattr):
    """Replace every segmenter's steps by a function."""
    set_attribute(Segmenter, "frame_steps", lambda segmenter, *, noun: CalledSteps(segment, noun))


if __name__ == "__main__":
    run_by(segment_slowly)
    progress._FIRST_INTERVAL = 3600.0  # no line for a computer that is slow
    sys.exit(cli.main())
