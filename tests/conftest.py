import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def drive() -> Path:
    """The folder of the DRIVE dataset, which may not be redistributed and so is not in this repository."""
    folder = os.environ.get("RETINAGAN_DRIVE")
    if not folder:
        pytest.skip("RETINAGAN_DRIVE does not name a folder with the DRIVE dataset")
    return Path(folder)
