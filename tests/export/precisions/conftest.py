import io
from dataclasses import replace

import onnx
import pytest

from retinagan.export.graph.calibration import calibrate
from retinagan.export.graph.edit import named_nodes
from retinagan.export.options import MEANT_FOR
from retinagan.export.precisions.drafts import Prover, write_draft
from retinagan.export.precisions.making import Maker
from retinagan.export.progress import StepLog
from retinagan.export.proof.images import ImageFolder
from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.model.spec import ModelSpec, spec_path


@pytest.fixture
def said():
    """What the steps print."""
    return io.StringIO()


@pytest.fixture
def steps(said):
    return StepLog(said)


@pytest.fixture(scope="session")
def calibration(tiny, dataset):
    """What calibration finds for the tiny model; no test changes it."""
    spec = ModelSpec.load(spec_path(tiny))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tiny.parent / "cache"))
        return calibrate(
            named_nodes(onnx.load(tiny)), spec, ImageFolder(dataset, "training"), StepLog(io.StringIO())
        )


@pytest.fixture
def fp32(tiny, tmp_path):
    """FP32's draft of the tiny model."""
    spec = replace(ModelSpec.load(spec_path(tiny)), sha256="")
    return write_draft(named_nodes(onnx.load(tiny)), spec, tmp_path, {"meant_for": MEANT_FOR["fp32"]})


@pytest.fixture
def maker(fp32, tmp_path, calibration):
    return Maker(fp32, tmp_path, calibration)


@pytest.fixture
def prover(tiny, fp32, steps, short_pack):
    with OnnxRuntimeAdapter(tiny, ModelSpec.load(spec_path(tiny)), threads=1) as reference:
        yield Prover(reference, fp32.spec, None, None, steps)
