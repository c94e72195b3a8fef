"""The code a program needs to segment frames: python examples/embed.py examples/images/*."""

import sys

import cv2

from retinagan.runtime import ImageError, Segmenter

with Segmenter(color="bgr") as segmenter:  # OpenCV's order of the channels
    for path in sys.argv[1:]:
        try:
            result = segmenter(cv2.imread(path))
        except ImageError as error:
            print(f"{path}: {error}")
            continue
        share = result.vessels.sum() / result.roi.sum()
        milliseconds = 1000 * sum(result.seconds.values())
        print(f"{path}: vessels cover {share:.1%} of the retina; {milliseconds:.0f} ms by {segmenter.engine}")
