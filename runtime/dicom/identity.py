"""UIDs that follow from what they name, so that the same result has the same UID whenever it is computed.

An archive keeps one object for each UID, and most keep the first that came. So two objects that differ may
not share one, and one that is computed again shall not come twice.
"""

import hashlib
import uuid
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

_NAMESPACE = uuid.UUID("6d4c3f6c-37c3-4f0a-b9ab-6a6f0c4b2b1e")


def uid_of(*parts: str) -> str:
    """Return the UID that these texts name: ``2.25.`` and a name-based UUID (PS3.5 B.2, RFC 9562)."""
    name = "".join(f"{len(part)}:{part}" for part in parts)  # so that no two lists are joined alike
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


def content_digest(dataset: Dataset) -> str:
    """Return the SHA-256 of a dataset's attributes as they are encoded, pixel data included."""
    digest = hashlib.sha256()
    rest, pixels = Dataset(), None
    for element in dataset:
        if element.keyword == "PixelData":
            pixels = element  # hashed as it is: to encode it takes another copy
        else:
            rest.add(element)
    encoded = BytesIO()
    stream = DicomIO(encoded)
    stream.is_implicit_VR, stream.is_little_endian = False, True
    write_dataset(stream, rest)
    digest.update(encoded.getvalue())
    if pixels is not None:
        digest.update(pixels.value)
    return digest.hexdigest()
