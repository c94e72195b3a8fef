import pytest
from small_checkpoint import small_generator, write_checkpoint

from retinagan.export.cli import main
from retinagan.export.fold import fold_batch_norm
from retinagan.export.onnx_file import build_onnx


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
    assert main([str(checkpoint), "--out", str(folder)]) == 0
    return folder
