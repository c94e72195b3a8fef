"""Whatever files, specs, reports and pictures come: the right answer or an error of this package.

Each of these tests also runs for as long as one likes: python benchmarks/fuzz.py
"""

import csv
import json
import tempfile
import warnings
from functools import cache
from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
from dicom_files import PATIENT, dicom_dataset, dicom_file, rle_frame
from dicom_files import written as dicom_written
from drawn_retina import drawn_retina
from fuzz_damage import damaged, edited
from hypothesis import given, settings
from image_files import encoded, exif, saved, tiff, with_png_exif
from pydicom.encaps import encapsulate
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import COLUMNS, DONE, Row
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.errors import ImageError, ModelError, RetinaGanError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.bundled import bundled_model
from retinagan.runtime.model.onnx_metadata import onnx_metadata
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.segmenter import Segmenter

RGB = drawn_retina(29, 33)[0]
GREY = RGB[..., 0].copy()
RGB16 = RGB * np.uint16(256)
COMPRESSED = {
    "1.2.840.10008.1.2.4.50": [saved(RGB, "JPEG")],
    "1.2.840.10008.1.2.4.90": [saved(RGB, "JPEG2000", no_jp2=True)],
    "1.2.840.10008.1.2.5": [rle_frame(RGB)],
}
IMAGES = [
    saved(RGB, "PNG"),
    saved(RGB, "PNG", "P"),
    with_png_exif(saved(RGB, "PNG"), 6),
    encoded(RGB16, ".png"),
    saved(RGB, "JPEG", exif=exif(5)),
    saved(RGB, "JPEG", progressive=True),
    saved(RGB, "JPEG", "CMYK"),
    saved(RGB, "TIFF", compression="tiff_lzw"),
    saved(RGB, "TIFF", compression="jpeg"),
    saved(RGB, "TIFF", big_tiff=True),
    tiff(RGB16, ">", orientation=3),
    tiff(GREY, photometric=0),
    encoded(RGB16, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5),
    saved(RGB, "BMP"),
    saved(GREY, "PPM"),
    encoded(RGB16, ".ppm"),
    b"P3 2 2 255\n" + b"1 2 3 " * 4,
    saved(RGB, "WEBP"),
    saved(np.dstack([RGB, GREY]), "WEBP", lossless=True),
    saved(GREY, "GIF"),
    dicom_file(RGB),
    dicom_file(np.stack([GREY, GREY]), syntax="1.2.840.10008.1.2"),
    dicom_file(GREY, syntax="1.2.840.10008.1.2.1.99"),
    *(dicom_file(RGB, frames=frames, syntax=syntax) for syntax, frames in COMPRESSED.items()),
]
SPEC = json.loads(ModelSpec.load(spec_path(bundled_model())).to_json())
SPEC["engine"] = {
    "builder": "tensorrt",
    "version": "10.3.0",
    "gpu": "Orin",
    "compute_capability": "8.7",
    "system": "linux-aarch64",
    "batch": [1, 4, 8],
    "source": "retina-gan.onnx",
}
MOST_PIXELS = 200_000
DICOM_NUMBERS = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PlanarConfiguration", "NumberOfFrames"),
)
DICOM_COLOURS = (
    *("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"),
    *("PALETTE COLOR", "HSV", ""),
)


def a_few(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def read_or_refuse(content):
    """Return the photograph of a file, after its pixels were checked; None if it is refused in a line."""
    with tempfile.NamedTemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoders warn of what they then read all the same
        Path(file.name).write_bytes(content)
        try:
            photograph = read_image(file.name, max_pixels=MOST_PIXELS)
        except ImageError as error:
            assert 10 < len(str(error)) < 500  # noqa: PT017 (either outcome is right)
            assert not any(part in str(error) for part in PATIENT)  # noqa: PT017
            return None
    image = photograph.pixels
    assert image.dtype in (np.uint8, np.uint16)
    assert image.ndim == 2 or image.shape[2:] == (3,)
    assert 0 < image.shape[0] * image.shape[1] <= MOST_PIXELS
    assert image.flags.c_contiguous
    return photograph


@a_few(250)
@given(damaged(IMAGES))
def test_any_file_is_an_image_or_an_image_error(content):
    read_or_refuse(content)


@st.composite
def dicom_objects(draw):
    """Draw a DICOM object of which up to four attributes say something else than the pixels are."""
    syntax = draw(st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", *COMPRESSED]))
    array = draw(st.sampled_from([RGB, GREY, RGB16, RGB16[..., 0].copy(), np.stack([GREY] * 3)]))
    data = dicom_dataset(array)
    if syntax in COMPRESSED:
        data.PixelData = encapsulate(COMPRESSED[syntax] * draw(st.integers(1, 3)))
        data["PixelData"].VR = "OB"
    elif draw(st.integers(0, 3)) == 0:
        data.PixelData = data.PixelData[: draw(st.integers(0, len(data.PixelData) // 2)) * 2]
    few = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 29, 30, 33, 65535]) | st.integers(0, 65535)
    for keyword in draw(st.lists(st.sampled_from(DICOM_NUMBERS), max_size=4)):
        setattr(data, keyword, draw(few))
    if draw(st.booleans()):
        data.PhotometricInterpretation = draw(st.sampled_from(DICOM_COLOURS))
    if draw(st.booleans()):
        data.HorizontalFieldOfView = draw(st.floats(width=32))
    if draw(st.booleans()):
        data.PixelSpacing = [draw(st.floats(1e-6, 1e6)), draw(st.floats(1e-6, 1e6))]
    return dicom_written(data, syntax)


@a_few(200)
@given(st.deferred(dicom_objects))
def test_any_dicom_object_is_a_photograph_or_an_image_error(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        photograph = read_or_refuse(content)
    if photograph is not None:
        angle, spacing = photograph.field_of_view, photograph.pixel_spacing
        assert angle is None or 10 <= angle <= 220
        assert spacing is None or 0 < min(spacing) <= max(spacing) < 100
        assert photograph.bits in range(8, 17)


@a_few(150)
@given(edited(SPEC))
def test_any_values_are_a_spec_or_a_model_error(values):
    try:
        spec = ModelSpec.from_json(json.dumps(values), "m.json")
    except ModelError as error:
        assert str(error).startswith("m.json: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 400  # noqa: PT017
    else:
        assert ModelSpec.from_json(spec.to_json()) == spec


@a_few(100)
@given(damaged([json.dumps(SPEC, indent=1).encode(), b"{}", b'{"format": 1}']))
def test_any_text_is_a_spec_or_a_model_error(content):
    try:
        spec = ModelSpec.from_json(content, "m.json")
    except ModelError as error:
        assert str(error).startswith("m.json: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert ModelSpec.from_json(spec.to_json()) == spec


@cache
def model_content() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_tiny_model(Path(folder)).read_bytes()


@a_few(100)
@given(st.deferred(lambda: damaged([model_content()])))
def test_any_model_file_has_metadata_or_is_a_model_error(content):
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        try:
            found = onnx_metadata(file.name)
        except ModelError as error:
            assert str(error).endswith("not an ONNX file, or a truncated one: get it again")  # noqa: PT017
        else:
            assert all(isinstance(text, str) for pair in found.items() for text in pair)


def report_lines() -> bytes:
    """A report of two images, as it stands in its file."""
    with tempfile.TemporaryDirectory() as name, OutputFolder(name) as folder:
        with Report(folder, run_settings()) as report:
            report.append(a_row("b.png"))
            report.append(a_row("ü, c.png"))
        return report.path.read_bytes()


def run_settings() -> Settings:
    return Settings.of(tiny_spec(sha256="0" * 64), "an engine")


def a_row(path: str) -> Row:
    return Row(path, DONE, "", path, run_settings().stamp(None))


@a_few(100)
@given(st.deferred(lambda: damaged([report_lines().partition(b"\n")[2]])))
def test_whatever_became_of_a_report_the_next_run_can_go_on(content):
    header = ",".join(COLUMNS).encode() + b"\n"
    with tempfile.TemporaryDirectory() as name, OutputFolder(name) as folder:
        (folder.path / "run.csv").write_bytes(header + content)
        with Report(folder, run_settings()) as report:
            report.append(a_row("new.png"))
            known = dict(report.recorded)
        with report.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        assert all(None not in row and None not in row.values() for row in rows)  # as many cells as columns
        with Report(folder, run_settings()) as report:
            assert report.recorded == known
            assert report.is_done("new.png", "new.png", run_settings().stamp(None))


@cache
def segmenter() -> Segmenter:
    with tempfile.TemporaryDirectory() as folder:
        return Segmenter(write_tiny_model(Path(folder)), engine="onnxruntime", threads=1)


@st.composite
def pictures(draw):
    """Retinas of all sizes: cut, turned, blacked out, too dark, too bright, noisy, deep, grey or strided."""
    height, width = draw(st.integers(1, 160)), draw(st.integers(1, 160))
    picture = drawn_retina(max(height, 32), max(width, 32))[0][:height, :width]
    light = draw(st.floats(0, 4))
    noise = np.random.default_rng(draw(st.integers(0, 9))).normal(0, draw(st.floats(0, 80)), picture.shape)
    picture = np.clip(picture * light + noise, 0, 255).astype(np.uint8)
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    picture[top : top + draw(st.integers(0, 40)), left:] = draw(st.sampled_from([0, 255]))
    form = draw(st.sampled_from(["rgb", "grey", "deep", "big-endian", "strided", "turned"]))
    return {
        "rgb": lambda: picture,
        "grey": lambda: picture[..., 1],
        "deep": lambda: picture * np.uint16(draw(st.sampled_from([1, 4, 16, 257]))),
        "big-endian": lambda: (picture * np.uint16(200)).astype(">u2"),
        "strided": lambda: picture[::-1, ::2],
        "turned": lambda: picture.transpose(1, 0, 2),
    }[form]()


@a_few(60)
@given(pictures())
def test_any_picture_is_segmented_or_refused(picture):
    before = picture.copy()
    try:
        result = segmenter()(picture)
    except RetinaGanError as error:
        assert isinstance(error, ImageError)  # noqa: PT017
    else:
        shape = picture.shape[:2]
        assert result.probability.shape == result.vessels.shape == result.roi.shape == shape
        assert np.isfinite(result.probability).all()
        assert 0 <= result.probability.min() <= result.probability.max() <= 1
        assert not result.probability[~result.roi].any()
        assert result.roi.any()
        np.testing.assert_array_equal(result.vessels, result.roi & (result.probability >= 0.5))
    np.testing.assert_array_equal(picture, before)
