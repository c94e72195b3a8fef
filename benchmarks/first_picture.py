"""Make the README's first picture: a real eye, and the vessels that the bundled model finds in it.

    python benchmarks/first_picture.py HRF/images/03_h.jpg --field-of-view 60

The image must be one that may be given away, and that the model was not trained on.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from retinagan.runtime import Segmenter
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.images.reading import read_image

WIDTH = 1200
GAP = 8
PLACE = Path(__file__).parent.parent / "docs" / "images" / "real_eye.jpg"


def picture(image: np.ndarray, overlay: np.ndarray, width: int) -> np.ndarray:
    """Put image and overlay, (H, W, 3) uint8 RGB, side by side on white, `width` pixels wide in all."""
    half = (width - GAP) // 2
    size = half, round(half * image.shape[0] / image.shape[1])
    parts = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (image, overlay)]
    return np.hstack([parts[0], np.full((size[1], GAP, 3), 255, np.uint8), parts[1]])


def main(arguments: list[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("image", type=Path, help="a fundus image")
    parser.add_argument("--field-of-view", type=float, metavar="DEGREES", help="the camera's angle")
    parser.add_argument("--out", type=Path, default=PLACE, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    image = read_image(options.image).as_rgb8()
    with Segmenter(field_of_view=options.field_of_view) as segmenter:
        result = segmenter(image)
    drawn = picture(image, draw_overlay(image, result.vessels, result.roi), WIDTH)
    cv2.imwrite(str(options.out), drawn[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 88))
    print(f"{options.out}: {drawn.shape[1]}x{drawn.shape[0]} pixels, {result.vessels.sum()} vessel pixels")


if __name__ == "__main__":
    main()
