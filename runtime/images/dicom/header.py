"""What a DICOM file says of its image, the eye and the camera, before any pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from retinagan.runtime.dicom.mark import PRODUCT
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import READ, WIDE_FIELD, as_uid, class_name
from retinagan.runtime.images.dicom.elements import Elements
from retinagan.runtime.images.photograph import NARROWEST, WIDEST
from retinagan.runtime.warnings import ImageWarning

_WIDE_FIELD = 100.0  # degrees; cameras that the models are made for have up to 60
_LARGEST_IMAGE, _SMALLEST_IMAGE = 100.0, 1.0  # sides in mm; half the eye's circumference is some 40
_SQUARE = 0.02  # by how much the sides of a pixel may differ

_CLASS, _INSTANCE, _MANUFACTURER = 0x00080016, 0x00080018, 0x00080070
_LATERALITY, _IMAGE_LATERALITY, _FIELD_OF_VIEW = 0x00200060, 0x00200062, 0x0022000C
_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS, _SPACING, _ASPECT = 0x00280010, 0x00280011, 0x00280030, 0x00280034
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_DESCRIPTOR, _TABLES = 0x00281101, (0x00281201, 0x00281202, 0x00281203)
_SCRAMBLED = (0x04071005, 0x04071006)  # where ZEISS puts frames that it scrambles
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002

WANTED = {
    **dict.fromkeys((_CLASS, _INSTANCE), "UI"),
    _MANUFACTURER: "LO",
    **dict.fromkeys((_LATERALITY, _IMAGE_LATERALITY, _PHOTOMETRIC), "CS"),
    _FIELD_OF_VIEW: "FL",
    **dict.fromkeys((_SAMPLES, _PLANAR, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH_BIT, _SIGNED), "US"),
    **dict.fromkeys((_FRAMES, _ASPECT), "IS"),
    _SPACING: "DS",
    _DESCRIPTOR: "US",
    **dict.fromkeys(_TABLES, "OW"),
    **dict.fromkeys(_SCRAMBLED, "OB"),
    **dict.fromkeys((_OFFSETS, _LENGTHS), "OV"),
}
"""The VR of all elements that are read besides the pixels (PS3.6), by tag."""


@dataclass(frozen=True)
class Palette:
    """The lookup table of PALETTE COLOR: its descriptor (entries, first value, bits), and three tables."""

    descriptor: tuple[int, int, int]
    tables: tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Header:
    """What a DICOM photograph declares.

    Attributes
    ----------
    rows, columns, samples, frames : int
        Size, colours (1 or 3), number of frames.
    allocated, stored, high_bit : int
        Bits of a sample: how many it takes, how many count, and the number of the highest of these.
    signed, planar : bool
        Whether values are in two's complement, and whether colours are stored one plane after another.
    photometric : str
        Photometric Interpretation, such as RGB or YBR_FULL_422.
    transfer_syntax : str
        UID of the encoding.
    palette : Palette or None
        The lookup table of PALETTE COLOR.
    offsets : tuple of two bytes or None
        Extended Offset Table and its lengths.
    zeiss : bool
        Whether the camera is made by ZEISS, which scrambles the frames of some exports.
    field_of_view, pixel_spacing, laterality, sop_instance_uid, warnings
        As of `retinagan.runtime.images.photograph.Photograph`.
    """

    rows: int
    columns: int
    samples: int
    frames: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str
    transfer_syntax: str
    palette: Palette | None
    offsets: tuple[bytes, bytes] | None
    zeiss: bool
    field_of_view: float | None
    pixel_spacing: tuple[float, float] | None
    laterality: str
    sop_instance_uid: str
    warnings: tuple[ImageWarning, ...]


def read_header(elements: Elements) -> Header:
    """Read the header of a photograph.

    Raises
    ------
    ImageError
        If the object is no photograph, is one that is refused, or attributes are missing or impossible.
    """
    _check_class(as_uid(elements.raw(_CLASS)) or elements.file_class)
    maker = elements.words(_MANUFACTURER)[0]
    if maker == PRODUCT:
        raise ImageError(f"this is a result of {PRODUCT}, not a photograph; segment the photograph itself")
    zeiss = elements.has(*_SCRAMBLED) or maker.lower().startswith("carl zeiss")
    if zeiss and not elements.has(_ROWS):
        raise scrambled()
    allocated = elements.whole(_ALLOCATED, "Bits Allocated")
    stored = elements.whole(_STORED, "Bits Stored", allocated)
    rows, columns = elements.whole(_ROWS, "Rows"), elements.whole(_COLUMNS, "Columns")
    laterality = elements.code(_IMAGE_LATERALITY) or elements.code(_LATERALITY)
    offsets = elements.raw(_OFFSETS), elements.raw(_LENGTHS)
    warnings: list[ImageWarning] = []
    return Header(
        rows=rows,
        columns=columns,
        samples=elements.whole(_SAMPLES, "Samples per Pixel", 1),
        frames=max(1, elements.whole(_FRAMES, "Number of Frames", 1)),
        allocated=allocated,
        stored=stored,
        high_bit=elements.whole(_HIGH_BIT, "High Bit", stored - 1),
        signed=bool(elements.whole(_SIGNED, "Pixel Representation", 0)),
        planar=bool(elements.whole(_PLANAR, "Planar Configuration", 0)),
        photometric=elements.code(_PHOTOMETRIC),
        transfer_syntax=elements.transfer_syntax,
        palette=_palette(elements),
        offsets=offsets if all(offsets) else None,
        zeiss=zeiss,
        field_of_view=_field_of_view(elements, warnings),
        pixel_spacing=_pixel_spacing(elements, (rows, columns), warnings),
        laterality=laterality if laterality in ("R", "L", "B") else "",
        sop_instance_uid=as_uid(elements.raw(_INSTANCE)),
        warnings=tuple(warnings),
    )


def scrambled() -> ImageError:
    """Return the error for frames that ZEISS scrambles."""
    return ImageError(
        "a ZEISS file with scrambled frames; export the image again as unscrambled DICOM, JPEG or PNG"
    )


def _check_class(uid: str) -> None:
    if uid in WIDE_FIELD:
        raise ImageError(
            f"this DICOM object is of the class {WIDE_FIELD[uid]}; "
            "the models are not made for wide-field images"
        )
    if uid not in READ:
        raise ImageError(
            f"this DICOM object is of the class {class_name(uid)}; expected a photograph: "
            "Ophthalmic Photography, VL Photographic or Secondary Capture"
        )


def _palette(elements: Elements) -> Palette | None:
    """Return the lookup table if there is one that is not segmented."""
    descriptor = [int(number) for number in elements.numbers(_DESCRIPTOR)]
    red, green, blue = (elements.raw(tag) for tag in _TABLES)
    if len(descriptor) != 3 or descriptor[2] not in (8, 16):
        return None
    entries, first, bits = descriptor
    sizes = [(entries or 1 << 16) * width for width in (1, 2)]
    sizes += [size + 1 for size in sizes if size % 2]
    if any(len(table) not in sizes for table in (red, green, blue)):
        return None
    return Palette((entries, first, bits), (red, green, blue))


def _field_of_view(elements: Elements, warnings: list[ImageWarning]) -> float | None:
    """Return Horizontal Field of View if it is an angle that a camera can have; 0 means unknown."""
    degrees = next(iter(elements.numbers(_FIELD_OF_VIEW)), 0.0)
    if degrees == 0:
        return None
    if NARROWEST <= degrees <= WIDEST:
        if degrees > _WIDE_FIELD:
            message = (
                f"the file's Horizontal Field of View is {degrees:g} degrees; the models are not made for it"
            )
            warnings.append(ImageWarning("wide-field", message))
        return round(degrees, 4)  # it has 24 bits in the file
    message = (
        f"the file's Horizontal Field of View is {degrees:g} degrees; expected {NARROWEST:g} to {WIDEST:g}, "
        "so it is not used"
    )
    warnings.append(ImageWarning("field-of-view-implausible", message))
    return None


def _pixel_spacing(
    elements: Elements, size: tuple[int, int], warnings: list[ImageWarning]
) -> tuple[float, float] | None:
    """Return Pixel Spacing in mm if the image then has a size that a retina can have."""
    spacing = _two_lengths(elements, _SPACING)
    aspect = spacing or _two_lengths(elements, _ASPECT)
    if aspect and abs(aspect[0] / aspect[1] - 1) > _SQUARE:
        message = f"the file's pixels are not square: {aspect[0]:g} high to {aspect[1]:g} wide"
        warnings.append(ImageWarning("pixels-not-square", message))
    if spacing is None:
        return None
    longest = max(side * count for side, count in zip(spacing, size, strict=True))
    if _SMALLEST_IMAGE <= longest <= _LARGEST_IMAGE:
        return spacing
    message = (
        f"the file's Pixel Spacing of {spacing[0]:g} mm makes the image {longest:g} mm long; "
        "no retina fits, so it is not used"
    )
    warnings.append(ImageWarning("pixel-spacing-implausible", message))
    return None


def _two_lengths(elements: Elements, tag: int) -> tuple[float, float] | None:
    numbers = elements.numbers(tag)
    if len(numbers) != 2 or not all(0 < number < float("inf") for number in numbers):
        return None
    return numbers[0], numbers[1]
