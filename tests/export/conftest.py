from itertools import islice

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from small_checkpoint import small_generator, write_checkpoint
from tiny_model import write_tiny_model

from retinagan.export.cli import main
from retinagan.export.graph.build import build_onnx
from retinagan.export.graph.fold import fold_batch_norm
from retinagan.export.precisions import drafts
from retinagan.export.proof.images import synthetic_images


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Keep calibration's cache out of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "retinagan"


@pytest.fixture
def short_pack(monkeypatch):
    """Have proof packs of one image, which take a third of the time."""
    monkeypatch.setattr(drafts, "synthetic_images", lambda: islice(synthetic_images(), 1))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Four drawn retinas with their lines, in the plain layout; no test changes it."""
    folder = tmp_path_factory.mktemp("dataset")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number in range(4):
        image, lines = drawn_retina(180, 200, angles=(10 + 7 * number, 60 + 5 * number, 110 + 11 * number))
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / "labels" / f"{number}.png"), np.uint8(255) * lines)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny model in an ONNX file with its spec; no test changes it."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), width=4)


@pytest.fixture(scope="session")
def generator():
    """A small generator whose BatchNorm has met data; no test changes it."""
    return small_generator()


@pytest.fixture(scope="session")
def model(generator):
    """The generator as an ONNX model; no test changes it."""
    return build_onnx(fold_batch_norm(generator), generator.config.divisor)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, generator):
    return write_checkpoint(tmp_path_factory.mktemp("run") / "checkpoint.pt", generator)


@pytest.fixture(scope="session")
def exported(tmp_path_factory, checkpoint):
    """The folder of one export by the command."""
    folder = tmp_path_factory.mktemp("export") / "deep" / "folder"
    assert main([str(checkpoint), "--out", str(folder), "--engine", "none"]) == 0
    return folder
