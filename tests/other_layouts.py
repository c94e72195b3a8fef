"""The five images of `small_dataset.write_dataset` in the layouts of other datasets."""

from pathlib import Path

import cv2

from retinagan.train.data.files import Sample, find_samples


def as_plain(source: Path, folder: Path) -> Path:
    """Lay them out as images/ labels/ masks/, called a1 to a5."""
    for number, sample in enumerate(find_samples(source, "all"), 1):
        _copy(sample.image, folder / "images" / f"a{number}.png")
        _copy(sample.truth, folder / "labels" / f"a{number}.png")
        _copy(sample.fov, folder / "masks" / f"a{number}.png")
    return folder


def as_chase(source: Path, folder: Path) -> Path:
    """Lay out CHASE_DB1's: both eyes of child 1, and one of 10, 11 and 14; all in one folder."""
    for name, sample in _named(source, "01L", "01R", "10R", "11L", "14R"):
        _copy(sample.image, folder / f"Image_{name}.jpg")
        _copy(sample.truth, folder / f"Image_{name}_1stHO.png")
        _copy(sample.truth, folder / f"Image_{name}_2ndHO.png")
    return folder


def as_stare(source: Path, folder: Path, folders: bool = True) -> Path:
    """Lay out STARE's, in its three folders or all in one."""
    places = ("stare-images", "labels-ah", "labels-vk") if folders else (".", ".", ".")
    for name, sample in _named(source, "im0001", "im0002", "im0003", "im0004", "im0255"):
        _copy(sample.image, folder / places[0] / f"{name}.ppm")
        _copy(sample.truth, folder / places[1] / f"{name}.ah.ppm")
        _copy(sample.truth, folder / places[2] / f"{name}.vk.ppm")
    return folder


def as_hrf(source: Path, folder: Path) -> Path:
    """Lay out HRF's: three images that train and two that test."""
    for name, sample in _named(source, "01_dr", "01_h", "05_g", "06_h", "15_dr"):
        _copy(sample.image, folder / "images" / f"{name}.{'JPG' if name[-1] == 'h' else 'jpg'}")
        _copy(sample.truth, folder / "manual1" / f"{name}.tif")
        _copy(sample.fov, folder / "mask" / f"{name}_mask.tif")
    return folder


def _named(source: Path, *names: str) -> list[tuple[str, Sample]]:
    return list(zip(names, find_samples(source, "all"), strict=True))


def _copy(source: Path | None, target: Path) -> None:
    """Write an image anew in the format of the target's name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(target), cv2.imread(str(source)))
