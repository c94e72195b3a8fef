"""An empty folder in fsspec's store in memory, for tests."""

import io

import numpy as np
import pytest
from PIL import Image

URL = "memory://clinic"


def empty_store() -> str:
    """Remove all that is in the store; return the URL of a folder."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    if files.exists("/clinic"):
        files.rm("/clinic", recursive=True)
    return URL


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    """Return an image as the content of a file."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, kind)
    return content.getvalue()
