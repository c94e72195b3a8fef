import numpy as np
import pytest
from dicom_files import OPHTHALMIC_16, SECONDARY_CAPTURE, VL_PHOTOGRAPHIC, dicom_dataset, dicom_file, written
from pydicom.dataset import Dataset

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import READ
from retinagan.runtime.images.dicom.elements import Elements
from retinagan.runtime.images.dicom.header import WANTED, read_header

PIXELS = np.zeros((300, 400, 3), np.uint8)
PREFIX = "1.2.840.10008.5.1.4.1.1."


def header_of(data):
    return read_header(Elements(data, WANTED, 1 << 20))


def test_the_tags_have_the_vr_of_the_standard():
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    for tag, vr in WANTED.items():
        assert not dictionary_has_tag(tag) or vr in dictionary_VR(tag)


def test_what_the_file_declares():
    header = header_of(dicom_file(PIXELS))
    assert (header.rows, header.columns, header.samples, header.frames) == (300, 400, 3, 1)
    assert (header.allocated, header.stored, header.high_bit, header.signed) == (8, 8, 7, False)
    assert (header.photometric, header.planar, header.palette, header.offsets) == ("RGB", False, None, None)
    assert (header.field_of_view, header.pixel_spacing, header.laterality) == (45, (0.05, 0.05), "R")
    assert header.sop_instance_uid == dicom_dataset().SOPInstanceUID
    assert header.warnings == ()


@pytest.mark.parametrize("uid", READ)
def test_classes_of_photographs_are_read(uid):
    assert header_of(dicom_file(PIXELS, SOPClassUID=uid)).rows == 300
    assert {OPHTHALMIC_16, VL_PHOTOGRAPHIC, SECONDARY_CAPTURE} <= set(READ)


@pytest.mark.parametrize(
    ("uid", "message"),
    [
        (
            "77.1.5.5",
            "this DICOM object is of the class Wide Field Ophthalmic Photography Stereographic Projection "
            "Image Storage; the models are not made for wide-field images",
        ),
        (
            "77.1.5.6",
            "this DICOM object is of the class Wide Field Ophthalmic Photography 3D Coordinates Image "
            "Storage; the models are not made for wide-field images",
        ),
        (
            "77.1.5.4",
            "this DICOM object is of the class Ophthalmic Tomography Image Storage; expected a photograph: "
            "Ophthalmic Photography, VL Photographic or Secondary Capture",
        ),
        (
            "104.1",
            "this DICOM object is of the class Encapsulated PDF Storage; expected a photograph: "
            "Ophthalmic Photography, VL Photographic or Secondary Capture",
        ),
    ],
)
def test_other_classes_are_refused_by_name(uid, message):
    with pytest.raises(ImageError) as caught:
        header_of(dicom_file(SOPClassUID=PREFIX + uid))
    assert str(caught.value) == message


def test_an_object_of_no_class_is_refused_even_if_a_patient_is_written_there():
    data = dicom_dataset(PIXELS)
    data.add_new(0x00080016, "LO", "Eyre^Jane")
    whole = dicom_file(PIXELS)
    start = whole.index(b"\x08\x00\x16\x00UI")
    damaged = whole[:start].replace(b"1.2.840.10008.5", b"Eyre^Jane^Janet") + whole[start:].replace(
        b"1.2.840.10008.5", b"Eyre^Jane^Janet", 1
    )
    with pytest.raises(ImageError) as caught:
        header_of(damaged)
    assert "of the class an unknown class" in str(caught.value)
    assert "Eyre" not in str(caught.value)


def test_scrambled_frames_of_zeiss_are_refused_by_name():
    data = dicom_dataset()
    block = data.private_block(0x0407, "99CZM_NIM_Internal_01", create=True)
    item = Dataset()
    item.private_block(0x0407, "99CZM_NIM_Internal_01", create=True).add_new(0x06, "OB", b"\1\2")
    block.add_new(0x05, "SQ", [item])
    with pytest.raises(ImageError) as caught:
        header_of(written(data))
    assert str(caught.value) == (
        "a ZEISS file with scrambled frames; export the image again as unscrambled DICOM, JPEG or PNG"
    )


def test_the_maker_is_known_where_frames_may_be_scrambled():
    assert header_of(dicom_file(PIXELS, Manufacturer="Carl Zeiss Meditec AG")).zeiss
    assert not header_of(dicom_file(PIXELS)).zeiss
    with pytest.raises(ImageError, match="scrambled"):
        header_of(dicom_file(Manufacturer="Carl Zeiss Meditec"))


def test_a_size_that_is_missing_is_named():
    with pytest.raises(ImageError) as caught:
        header_of(dicom_file(PIXELS, Columns=None))
    assert str(caught.value) == "the DICOM file has no valid Columns (0028,0011); export the image again"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ImageLaterality": "L"}, "L"),
        ({"ImageLaterality": None, "Laterality": "L"}, "L"),
        ({"ImageLaterality": "R", "Laterality": "L"}, "R"),
        ({"ImageLaterality": "B"}, "B"),
        ({"ImageLaterality": ""}, ""),
        ({"ImageLaterality": "OD JANE EYRE"}, ""),
        ({"ImageLaterality": None}, ""),
    ],
)
def test_laterality_is_right_left_both_or_unknown(attributes, expected):
    assert header_of(dicom_file(PIXELS, **attributes)).laterality == expected


@pytest.mark.parametrize(("given", "expected"), [(30.0, 30), (0.0, None), (None, None), (33.3, 33.3)])
def test_the_angle_is_that_of_the_file(given, expected):
    header = header_of(dicom_file(PIXELS, HorizontalFieldOfView=given))
    assert header.field_of_view == expected
    assert header.warnings == ()


def test_the_angle_of_a_wide_field_camera_is_used_with_a_warning():
    header = header_of(dicom_file(PIXELS, HorizontalFieldOfView=200.0))
    assert header.field_of_view == 200
    (warning,) = header.warnings
    assert (warning.code, warning.message) == (
        "wide-field",
        "the file's Horizontal Field of View is 200 degrees; the models are not made for it",
    )


@pytest.mark.parametrize("given", [4500.0, 1.5, -45.0, float("nan")])
def test_an_angle_of_no_camera_is_not_used(given):
    header = header_of(dicom_file(PIXELS, HorizontalFieldOfView=given))
    assert header.field_of_view is None
    (warning,) = header.warnings
    assert warning.code == "field-of-view-implausible"
    assert warning.message == (
        f"the file's Horizontal Field of View is {given:g} degrees; expected 10 to 220, so it is not used"
    )


@pytest.mark.parametrize("given", [None, [], [0, 0], [-0.01, 0.01]])
def test_no_millimetres_are_invented(given):
    header = header_of(dicom_file(PIXELS, PixelSpacing=given))
    assert header.pixel_spacing is None
    assert header.warnings == ()


def test_spacing_is_rows_then_columns_and_a_warning_if_they_differ():
    header = header_of(dicom_file(PIXELS, PixelSpacing=[0.02, 0.01]))
    assert header.pixel_spacing == (0.02, 0.01)
    (warning,) = header.warnings
    assert (warning.code, warning.message) == (
        "pixels-not-square",
        "the file's pixels are not square: 0.02 high to 0.01 wide",
    )
    assert header_of(dicom_file(PIXELS, PixelSpacing=[0.0101, 0.01])).warnings == ()


def test_an_aspect_ratio_without_spacing_is_a_warning_too():
    header = header_of(dicom_file(PIXELS, PixelSpacing=None, PixelAspectRatio=[4, 3]))
    assert header.pixel_spacing is None
    assert [warning.code for warning in header.warnings] == ["pixels-not-square"]


@pytest.mark.parametrize(("side", "long"), [(1.0, "400"), (12.5, "5000"), (0.0001, "0.04")])
def test_a_spacing_that_no_retina_fits_is_not_used(side, long):
    header = header_of(dicom_file(PIXELS, PixelSpacing=[side, side]))
    assert header.pixel_spacing is None
    (warning,) = header.warnings
    assert warning.code == "pixel-spacing-implausible"
    assert warning.message == (
        f"the file's Pixel Spacing of {side:g} mm makes the image {long} mm long; "
        "no retina fits, so it is not used"
    )


def test_a_palette_must_be_whole():
    tables = {f"{c}PaletteColorLookupTableData": bytes(range(256)) for c in ("Red", "Green", "Blue")}
    attributes = {"RedPaletteColorLookupTableDescriptor": [256, 0, 8], **tables}
    palette = header_of(dicom_file(PIXELS[..., 0], **attributes)).palette
    assert palette.descriptor == (256, 0, 8)
    assert palette.tables == (bytes(range(256)),) * 3
    short = {**attributes, "BluePaletteColorLookupTableData": b"\0\0"}
    assert header_of(dicom_file(PIXELS[..., 0], **short)).palette is None
    deep = {**attributes, "RedPaletteColorLookupTableDescriptor": [256, 0, 12]}
    assert header_of(dicom_file(PIXELS[..., 0], **deep)).palette is None
