import pytest

from retinagan.export.parser import parse
from retinagan.runtime import OptionError


@pytest.mark.parametrize("given", [[], ["model.pt"], ["--out", "exported"], ["--triton", "models"]])
def test_a_source_needs_a_place_and_a_place_a_source(given):
    with pytest.raises(OptionError, match="give a checkpoint or an ONNX file and a folder with --out"):
        parse(given)


@pytest.mark.parametrize(
    "given", [["model.pt", "--out", "exported"], ["--check", "a.onnx"], ["retina-gan", "--triton", "models"]]
)
def test_what_is_enough(given):
    assert parse(given).accept_drop is False
