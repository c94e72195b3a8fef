"""A dataset of small drawn retinas in DRIVE's folder layout."""

from pathlib import Path

import cv2
import numpy as np
from drawn_retina import drawn_retina

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import TrainingImage, load_training_images
from retinagan.train.loop.options import StageOptions, TrainingOptions

WORKING_SIZE = 64
PREPROCESSING = Preprocessing("ace", 5.0, WORKING_SIZE)


def write_dataset(folder: Path, training: int = 3, test: int = 2) -> Path:
    """Write `training` and `test` images of 100x96 pixels (HxW) with maps and masks; return the folder."""
    number = 20
    for split, count in (("training", training), ("test", test)):
        for name in ("images", "1st_manual", "mask"):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            number += 1
            image, lines = drawn_retina(100, 96, angles=(number * 7 % 180, 60 + number * 11 % 180, 130))
            cv2.imwrite(str(folder / split / "images" / f"{number}_{split}.png"), image[..., ::-1])
            cv2.imwrite(str(folder / split / "1st_manual" / f"{number}_manual1.png"), lines * np.uint8(255))
            mask = (image.max(axis=2) > 0) * np.uint8(255)
            cv2.imwrite(str(folder / split / "mask" / f"{number}_{split}_mask.png"), mask)
    return folder


def add_second_expert(folder: Path, *numbers: int) -> None:
    """Write maps by an expert who sees no vessels below, for these training images of `write_dataset`."""
    (folder / "training" / "2nd_manual").mkdir()
    for number in numbers:
        lines = cv2.imread(str(folder / "training" / "1st_manual" / f"{number}_manual1.png"), 0)
        lines[len(lines) * 2 // 3 :] = 0
        cv2.imwrite(str(folder / "training" / "2nd_manual" / f"{number}_manual2.png"), lines)


def training_images(folder: Path) -> list[TrainingImage]:
    """Return the training images of `write_dataset` at the small working size."""
    return load_training_images(find_samples(write_dataset(folder), "training"), PREPROCESSING)


def small_options(patches: int = 4, adversarial: int | StageOptions = 0, **changes) -> TrainingOptions:
    """Return options that train a small net in a moment."""
    if isinstance(adversarial, int):
        adversarial = StageOptions(adversarial, 1e-3, adversarial_weight=0.05)
    values = {
        "widths": (8, 16),
        "preprocessing": PREPROCESSING,
        "patches": StageOptions(patches, 5e-3),
        "adversarial": adversarial,
        "patch": 32,
        "batch": 4,
        "pool": 3,
    }
    return TrainingOptions(**(values | changes))
