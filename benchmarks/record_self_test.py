"""Record what the bundled model gives for the self-test's picture; run it whenever that model changes.

    python benchmarks/record_self_test.py

It draws the image, runs the model with ONNX Runtime on the CPU, and writes the image, the result and a record
of model and engine to runtime/models. `retina-doctor` compares the engines of other computers with these.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "examples"))

from synthetic_camera import CAMERAS  # noqa: E402
from synthetic_fundus import FundusOptions, render  # noqa: E402

from retinagan.runtime import Segmenter  # noqa: E402
from retinagan.runtime.atomic import written_atomically  # noqa: E402
from retinagan.runtime.doctor.self_test import PICTURE, PROBABILITY, RECORD  # noqa: E402

HEIGHT = 232
SMALLEST = (cv2.IMWRITE_PNG_COMPRESSION, 9)


def picture() -> np.ndarray:
    """Draw a synthetic eye: (232, W, 3) uint8 RGB, without grain, which PNG cannot compress."""
    camera = replace(CAMERAS["canon"], grain=0.0)
    image = render(FundusOptions(seed=26, camera=camera)).image
    scale = HEIGHT / image.shape[0]
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def main(arguments: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    image = picture()
    with Segmenter(device="cpu", engine="onnxruntime") as segmenter:
        result = segmenter(image)
        record = {
            "model": segmenter.spec.name,
            "sha256": segmenter.spec.sha256,
            "engine": segmenter.engine,
            "threshold": result.threshold,
        }
    levels = np.rint(result.probability * 255).astype(np.uint8)
    for path, array in ((PICTURE, image[..., ::-1]), (PROBABILITY, levels)):
        with written_atomically(path) as temporary:
            temporary.write_bytes(cv2.imencode(".png", array, SMALLEST)[1].tobytes())
    with written_atomically(RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{PICTURE.parent}: {record}")


if __name__ == "__main__":
    main()
