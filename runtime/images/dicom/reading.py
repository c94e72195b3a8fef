"""Read one image of a DICOM file, with what the file knows of the eye and the camera."""

from __future__ import annotations

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.depth import bit_depth
from retinagan.runtime.images.dicom.elements import Elements, PixelData
from retinagan.runtime.images.dicom.header import WANTED, Header, read_header, scrambled
from retinagan.runtime.images.dicom.pixels import check_header, count_frames, decode_frame
from retinagan.runtime.images.photograph import Photograph, frame_number, frame_warnings


def read_dicom(data: bytes, max_pixels: int, most_bytes: int, frame: int | None = None) -> Photograph:
    """Read one frame of a DICOM file.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_pixels : int
        Images with more pixels are refused before they are decoded.
    most_bytes : int
        How long a data set may become by inflating it.
    frame : int, optional
        Number of the frame, from 1. None takes the first, and warns if there are others.

    Raises
    ------
    ImageError
        If pydicom is missing, the object is no photograph, too large, damaged, or of an unsupported kind. For
        damaged files, decoders may also raise other exceptions.
    """
    elements, header = _opened(data, max_pixels, most_bytes)
    number = frame_number(frame, header.frames)
    pixels, bits, doubts = decode_frame(_pixel_data(elements, header), header, number - 1)
    depth = bit_depth(pixels, bits)
    return Photograph(
        pixels,
        depth.bits,
        number,
        header.frames,
        (*frame_warnings(frame, header.frames), *header.warnings, *doubts, *depth.warnings),
        header.field_of_view,
        header.pixel_spacing,
        header.laterality,
        header.sop_instance_uid,
    )


def dicom_frames(data: bytes, max_pixels: int, most_bytes: int) -> int:
    """Return how many frames a DICOM file holds, without decoding one."""
    elements, header = _opened(data, max_pixels, most_bytes)
    return header.frames if header.frames <= count_frames(_pixel_data(elements, header), header) else 1


def _opened(data: bytes, max_pixels: int, most_bytes: int) -> tuple[Elements, Header]:
    elements = Elements(data, WANTED, most_bytes)
    header = read_header(elements)
    check_header(header, max_pixels)
    return elements, header


def _pixel_data(elements: Elements, header: Header) -> PixelData:
    pixel_data = elements.pixel_data()
    if pixel_data is not None:
        return pixel_data
    if header.zeiss:
        raise scrambled()
    raise ImageError("the DICOM file has no pixels; export the image again")
