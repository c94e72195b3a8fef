"""What the page on DICOM says of the objects is in the objects, and its program for them runs."""

import io
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_sources import as_file, as_jpeg, drawn_source
from pydicom.dataset import Dataset
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.batch.drawing import Scene
from retinagan.runtime.batch.objects import ObjectMaker, source_of
from retinagan.runtime.batch.pictures import OBJECTS, picture_name
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model import bundled
from retinagan.runtime.node.cli import NUMBERS
from retinagan.runtime.node.receiving import CANNOT_UNDERSTAND, NOT_ITS_CLASS, OUT_OF_RESOURCES
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation

PAGE = Path(__file__).parents[2] / "docs" / "dicom.md"
SETTINGS = Settings("OpenVINO on CPU", "retina-gan", "ab" * 32, 0.5, 0.0, "0.3.0", "0123456789abcdef")
SECTIONS = {
    "In all objects": tuple(OBJECTS),
    "Segmentation": ("dicom-seg", "dicom-probability"),
    "Overlay": ("dicom-overlay",),
    "Report": ("dicom-sr",),
}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> dict[str, Dataset]:
    """Each kind of object of a photograph that declares all that objects repeat."""
    made = as_jpeg(drawn_source(height=120, width=120))
    made.PixelSpacing = [0.05, 0.05]
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = "1.2.3", ""
    made.RecognizableVisualFeatures = "NO"
    path = tmp_path_factory.mktemp("study") / "IM000001"
    path.write_bytes(as_file(made))
    photograph = read_image(path).in_rgb8()
    roi = np.ones(photograph.pixels.shape[:2], bool)
    disc = Disc(59.5, 59.5, 60.0)
    result = Segmentation(np.full(roi.shape, 0.75, np.float32), roi, roi, {}, 45.0, 96, disc=disc)
    maker, source = ObjectMaker(SETTINGS, "jpeg"), source_of(str(path), photograph)
    scene = Scene(photograph, result)
    return {kind: pydicom.dcmread(io.BytesIO(maker.make(kind, source, scene))) for kind in OBJECTS}


def section(page: str, title: str) -> str:
    return re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", page, re.M | re.S)[1]


def test_every_kind_is_listed_with_its_file(page):
    listed = re.findall(r"^\| `([\w-]+)` \| `<name>(\S+)` \|", section(page, "What is written"), re.M)
    assert dict(listed) == {kind: picture_name("", kind) for kind in OBJECTS}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_attribute_and_code_is_there(title, page, objects):
    table = section(page, title)
    tags = re.findall(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", table)
    codes = re.findall(r'\((\w+), (\w+), "([^"]+)"\)', table)
    assert tags or codes
    told = "".join(str(objects[kind]) for kind in SECTIONS[title])
    for group, element in tags:
        assert f"({group},{element})" in told
        if title == "In all objects":
            assert all(int(group + element, 16) in objects[kind] for kind in OBJECTS)
    for code in codes:
        if code[2] != "Left":  # the eye is the right one
            assert all(f"'{word}'" in told or f'"{word}"' in told for word in code), code


def test_the_program_writes_a_segmentation(tmp_path, monkeypatch, page):
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("IM000001").write_bytes(as_file(drawn_source(height=120, width=120)))
    code = re.search(r"^```python\n(.*?)^```$", section(page, "What is written"), re.M | re.S)[1]
    exec(compile(code, str(PAGE), "exec"), {})
    assert pydicom.dcmread("vessels.dcm").pixel_array.shape == (120, 120)


def test_the_limits_of_the_node_have_the_defaults_that_are_listed(page):
    listed = dict(re.findall(r"^\| `--([\w-]+)` \| (\d+) \|", section(page, "Who may call"), re.M))
    assert listed == {name: str(default) for name, _, default, *_ in NUMBERS}


def test_the_statuses_of_the_node_are_those_that_are_listed(page):
    listed = re.findall(r"^\| ([0-9AC]{4})\b", section(page, "What it takes"), re.M)
    assert [int(status, 16) for status in listed] == [OUT_OF_RESOURCES, NOT_ITS_CLASS, CANNOT_UNDERSTAND]
