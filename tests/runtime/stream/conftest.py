import pytest
from gated_engine import GatedEngine
from tiny_model import write_tiny_model

from retinagan.runtime import Segmenter


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    with Segmenter(write_tiny_model(tmp_path_factory.mktemp("model")), threads=1) as segmenter:
        yield segmenter


@pytest.fixture
def engine():
    with GatedEngine() as engine:
        yield engine
        engine.open()
