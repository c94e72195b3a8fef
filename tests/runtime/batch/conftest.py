from pathlib import Path

import pytest
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.batch import progress
from retinagan.runtime.model.parameters import Preprocessing, Tiling


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with three images in it; no progress is said, however slow the computer is."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL", 3600.0)
    image, _ = drawn_retina()
    for name in ("a.png", "b.jpg", "sub/c.tif"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scaled_model(tmp_path) -> str:
    """A model of 2 pixels a degree: squares of 96 pixels at 45 degrees."""
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=2.0)
    (tmp_path / "scaled").mkdir()
    spec = tiny_spec(preprocessing=preprocessing, tiling=Tiling(None))
    return str(write_tiny_model(tmp_path / "scaled", spec))
