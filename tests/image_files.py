"""Image files made by hand, where no library writes what a test needs."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

TYPES = {"<": b"II", ">": b"MM"}


def tiff(array, order="<", orientation=1, photometric=None):
    """Return an uncompressed TIFF: grey, RGB or four channels, in uint8, uint16, uint32 or float32."""
    channels = 1 if array.ndim == 2 else array.shape[2]
    bits = array.dtype.itemsize * 8
    pixels = array.astype(array.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: (4, array.shape[1]),
        257: (4, array.shape[0]),
        258: (3, bits),
        259: (3, 1),
        262: (3, photometric if photometric is not None else (1 if channels == 1 else 2)),
        273: (4, 0),
        274: (3, orientation),
        277: (3, channels),
        278: (4, array.shape[0]),
        279: (4, len(pixels)),
        339: (3, 3 if array.dtype.kind == "f" else 1),
    }
    after = 8 + 2 + 12 * len(entries) + 4
    extra = struct.pack(f"{order}{channels}H", *[bits] * channels) if channels > 2 else b""
    directory = struct.pack(order + "H", len(entries))
    for tag, (kind, value) in entries.items():
        count = 1
        if tag == 273:
            value = after + len(extra)
        elif tag == 258 and extra:
            count, kind, value = channels, 3, after
        packed = (
            struct.pack(order + "HH", value, 0)
            if kind == 3 and count == 1
            else struct.pack(order + "L", value)
        )
        directory += struct.pack(order + "HHL", tag, kind, count) + packed
    directory += struct.pack(order + "L", 0)
    return TYPES[order] + struct.pack(order + "HL", 42, 8) + directory + extra + pixels


def encoded(array, suffix, *options):
    """Return what OpenCV writes of a grey or RGB array."""
    _, code = cv2.imencode(suffix, array[:, :, ::-1] if array.ndim == 3 else array, options)
    return code.tobytes()


def saved(array, name, mode=None, **options):
    """Return what Pillow writes of an array, converted to `mode` first."""
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(buffer, name, **options)
    return buffer.getvalue()


def exif(orientation):
    """Return EXIF data with this orientation."""
    tags = Image.Exif()
    tags[274] = orientation
    return tags.tobytes()


def png_chunk(kind, content):
    """Return a PNG chunk with its length and check sum."""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def with_png_exif(data, orientation):
    """Return a PNG with an eXIf chunk after its header."""
    return data[:33] + png_chunk(b"eXIf", exif(orientation)[6:]) + data[33:]


def turned(array, orientation):
    """Return an array as a camera stores it whose EXIF orientation turns it back."""
    stored = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, 1),
        7: array[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(array, -1),
    }
    return np.ascontiguousarray(stored[orientation])
