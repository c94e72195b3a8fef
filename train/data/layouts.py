"""The five known layouts of a dataset, each with a rule that selects the test images."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Role:
    """One kind of file: its possible folders, and a pattern of its stem whose first group names the image."""

    folders: tuple[str, ...]
    stem: str


@dataclass(frozen=True)
class Layout:
    """A layout of a dataset.

    Attributes
    ----------
    name : str
        Name of the layout.
    told : str
        Example of its files, in words.
    marks : tuple of tuples of str
        Glob patterns; a folder in which each pattern of one tuple finds something has this layout.
    image, truth, fov, second : Role
        Kinds of files. Without a role for masks, the retina is found in each image.
    is_test : callable or None
        From an image's position (from 0), its key and the number of images to whether it is for testing;
        None takes the folder whole, as the half of a dataset that it is.
    rule : str
        The rule in words.
    field_of_view : float or None
        Angle of the camera in degrees, if the layout belongs to one dataset.
    terms, citation : str
        Terms of use, and the publication to name with the data, likewise.
    """

    name: str
    told: str
    marks: tuple[tuple[str, ...], ...]
    image: Role
    truth: Role
    fov: Role | None = None
    second: Role | None = None
    is_test: Callable[[int, str, int], bool] | None = None
    rule: str = "the whole folder"
    field_of_view: float | None = None
    terms: str = ""
    citation: str = ""
    nested: bool = False

    @property
    def roles(self) -> dict[str, Role]:
        """Kinds of files by name."""
        named = {"image": self.image, "truth": self.truth, "fov": self.fov, "second": self.second}
        return {name: role for name, role in named.items() if role is not None}


def _above(number: int) -> Callable[[int, str, int], bool]:
    return lambda position, key, count: int(re.match(r"\d+", key).group()) > number  # type: ignore[union-attr]


LAYOUTS = (
    Layout(
        "DRIVE",
        "images/21_training.tif, 1st_manual/21_manual1.gif, mask/21_training_mask.gif",
        (("images", "1st_manual"),),
        Role(("images",), r"(\d+|.+).*?"),
        Role(("1st_manual",), r"(\d+|.+).*?"),
        Role(("mask",), r"(\d+|.+).*?"),
        Role(("2nd_manual",), r"(\d+|.+).*?"),
        field_of_view=45.0,
        terms="research and education only",
        citation="J.J. Staal, M.D. Abramoff, M. Niemeijer, M.A. Viergever, B. van Ginneken, Ridge based "
        "vessel segmentation in color images of the retina, IEEE Transactions on Medical Imaging 23:501-509, "
        "2004",
    ),
    Layout(
        "HRF",
        "images/01_h.jpg, manual1/01_h.tif, mask/01_h_mask.tif",
        (("images", "manual1"),),
        Role(("images",), r"(\d+_\w+)"),
        Role(("manual1",), r"(\d+_\w+)"),
        Role(("mask",), r"(\d+_\w+)_mask"),
        None,
        _above(5),
        "the first 5 of each kind train, the other 10 test",
        60.0,
        "CC BY 4.0",
        "A. Budai, R. Bock, A. Maier, J. Hornegger, G. Michelson, Robust Vessel Segmentation in Fundus "
        "Images, International Journal of Biomedical Imaging 2013, 154860; Friedrich-Alexander-Universitaet "
        "Erlangen-Nuernberg",
    ),
    Layout(
        "plain",
        "images/NAME.png, labels/NAME.png, masks/NAME.png",
        (("images", "labels"),),
        Role(("images",), r"(.+)"),
        Role(("labels",), r"(.+)"),
        Role(("masks",), r"(.+)"),
        Role(("labels2",), r"(.+)"),
        # Images of one person usually have names in sequence, so a block splits few people.
        lambda position, key, count: position >= count - count // 5,
        "the last fifth by name tests",
        nested=True,
    ),
    Layout(
        "CHASE_DB1",
        "Image_01L.jpg, Image_01L_1stHO.png, Image_01L_2ndHO.png",
        (("Image_[0-9][0-9][LR].*",),),
        Role((".",), r"Image_(\d+[LR])"),
        Role((".",), r"Image_(\d+[LR])_1stHO"),
        None,
        Role((".",), r"Image_(\d+[LR])_2ndHO"),
        _above(10),
        "children 1 to 10 (20 images) train, 11 to 14 (8 images) test",
        30.0,
        "CC BY 4.0",
        "M.M. Fraz, P. Remagnino, A. Hoppe, B. Uyyanonvara, A.R. Rudnicka, C.G. Owen, S.A. Barman, An "
        "Ensemble Classification-Based Approach Applied to Retinal Blood Vessel Segmentation, IEEE "
        "Transactions on Biomedical Engineering 59:2538-2548, 2012; Kingston University",
    ),
    Layout(
        "STARE",
        "stare-images/im0001.ppm, labels-ah/im0001.ah.ppm, labels-vk/im0001.vk.ppm, or all in one folder",
        (("stare-images",), ("im[0-9][0-9][0-9][0-9].*",)),
        Role(("stare-images", "."), r"(im\d{4})"),
        Role(("labels-ah", "."), r"(im\d{4})\.ah"),
        None,
        Role(("labels-vk", "."), r"(im\d{4})\.vk"),
        # Diseased eyes come before healthy ones, so a block would test on one kind.
        lambda position, key, count: position % 5 == 4,
        "each fifth by name tests",
        35.0,
        citation="A. Hoover, V. Kouznetsova, M. Goldbaum, Locating Blood Vessels in Retinal Images by "
        "Piecewise Threshold Probing of a Matched Filter Response, IEEE Transactions on Medical Imaging "
        "19:203-210, 2000",
    ),
)


def layout_of(root: Path) -> Layout | None:
    """Return the layout that fits a folder without folders training and test, or None."""
    return next((layout for layout in LAYOUTS if _fits(root, layout)), None)


def _fits(root: Path, layout: Layout) -> bool:
    return any(all(any(root.glob(mark)) for mark in marks) for marks in layout.marks)
