"""Real engines on a real GPU; everywhere else skipped, with the driver's own reason."""

import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_export import write_tiny_export

from retinagan.export.progress import StepLog
from retinagan.export.tensorrt.export import EngineOptions, engine_fits, export_engine
from retinagan.runtime import Segmenter
from retinagan.runtime.engines.cuda.context import import_pycuda
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.engines.tensorrt.device import import_tensorrt
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.spec import ModelSpec, spec_path

pytestmark = pytest.mark.gpu


@pytest.fixture(params=["tensorrt", "tensorrt-rtx"])
def engine(request):
    try:
        find_gpu()
        import_pycuda()
        import_tensorrt(request.param.replace("-", "_"))
    except EngineError as error:
        pytest.skip(str(error))
    return request.param


def test_an_engine_is_built_proven_and_segments_as_the_onnx_file_does(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = write_tiny_export(tmp_path)
    path = export_engine(source, tmp_path / "out", EngineOptions(engine), StepLog())
    spec = ModelSpec.load(spec_path(path))
    assert engine_fits(spec) == []
    assert spec.proof["proof_pack"]["max_abs_difference"] <= 1e-4
    image, _ = drawn_retina()
    with Segmenter(path) as on_gpu, Segmenter(source, device="cpu") as on_cpu:
        expected, found = on_cpu(image), on_gpu(image)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-4)
    np.testing.assert_array_equal(found.roi, expected.roi)
