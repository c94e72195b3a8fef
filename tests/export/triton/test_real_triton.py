"""A real Triton server runs the model that `retina-export --triton` writes."""

import io
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import write_tiny_model
from triton_process import Environment, triton_environment, tritonserver, wait_until_ready

from retinagan.export.progress import StepLog
from retinagan.export.triton.repository import write_repository

pytestmark = pytest.mark.server

SEGMENT = """
import sys
import numpy as np
from retinagan.runtime import Segmenter
with Segmenter(sys.argv[1], engine="onnxruntime") as segmenter:
    result = segmenter(np.load(sys.argv[2]))
np.savez(sys.argv[3], vessels=result.vessels, probability=result.probability, roi=result.roi)
"""


@pytest.fixture(scope="module")
def triton() -> Environment:
    return triton_environment()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("triton")
    write_repository(write_tiny_model(folder), folder / "models", StepLog(io.StringIO()))
    return folder / "models"


@pytest.fixture(scope="module")
def client(triton, repository, tmp_path_factory):
    http = pytest.importorskip("tritonclient.http", reason='no client: pip install "tritonclient[http]"')
    work = tmp_path_factory.mktemp("server")
    with tritonserver(triton, triton, repository, "tiny", work) as (process, address, log):
        wait_until_ready(process, address, log)
        with http.InferenceServerClient(address, network_timeout=60) as opened:
            yield opened


@pytest.fixture(scope="module")
def image():
    return drawn_retina(300, 260)[0]


@pytest.fixture(scope="module")
def expected(triton, repository, image, tmp_path_factory):
    """The maps that the same environment computes without Triton, whose OpenCV is another than ours."""
    work = tmp_path_factory.mktemp("expected")
    np.save(work / "image.npy", image)
    model = repository / "tiny" / "1" / "tiny.onnx"
    command = [triton.python, "-c", SEGMENT, model, work / "image.npy", work / "maps.npz"]
    subprocess.run(command, check=True)
    return np.load(work / "maps.npz")


def test_the_configuration_is_understood(client):
    assert client.is_model_ready("tiny")
    configuration = client.get_model_config("tiny")
    assert [(tensor["name"], tensor["optional"]) for tensor in configuration["input"]] == [
        ("image", True),
        ("file", True),
    ]


@pytest.mark.parametrize("kind", ["image", "file"])
def test_the_maps_are_those_of_the_segmenter(client, image, expected, kind):
    from tritonclient.http import InferInput

    tensor = InferInput("image", image.shape, "UINT8")
    content = image
    if kind == "file":
        tensor = InferInput("file", [1], "BYTES")
        content = np.array([cv2.imencode(".png", image[..., ::-1])[1].tobytes()], np.object_)
    tensor.set_data_from_numpy(content)
    answer = client.infer("tiny", [tensor], parameters={"field_of_view": "45"})
    for name in ("vessels", "probability", "roi"):
        np.testing.assert_array_equal(answer.as_numpy(name), expected[name])
    report = json.loads(answer.as_numpy("report")[0])
    assert (report["status"], report["width"], report["model"]) == ("done", 260, "tiny")


def test_a_bad_image_is_the_requests_fault(client, image):
    from tritonclient.http import InferenceServerException, InferInput

    tensor = InferInput("file", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([b"no image"], np.object_))
    with pytest.raises(InferenceServerException, match="not an image that can be read") as caught:
        client.infer("tiny", [tensor])
    assert caught.value.status() == "400"
    assert client.is_model_ready("tiny")


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="the tests run with NumPy 1")
def test_numpy_2_in_this_old_backend_is_refused_by_name(triton, repository, tmp_path):
    own = Environment.of(sys.executable)
    with tritonserver(triton, own, repository, "tiny", tmp_path) as (process, _, log):
        process.wait(240)
    text = log.read_text()
    assert "this Triton's Python backend changes arrays ([0, 1, 2] came as [0, 0, 0])" in text
    assert "use Triton 24.11 or later" in text
