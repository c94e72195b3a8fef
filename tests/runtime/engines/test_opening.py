import logging
import sys
from dataclasses import replace

import pytest
from adapter_contract import patches
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.engines import open_adapter, opening
from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.parameters import EngineBuild
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import UnverifiedModelWarning

ENGINE = EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", "linux-aarch64", (1, 4, 8), "tiny.onnx")


class NamedAdapter(EngineAdapter):
    def _run(self, image, roi, out):
        out[:] = 0

    def _close(self):
        pass


@pytest.fixture
def working(monkeypatch) -> set[tuple[str, str]]:
    """The ways that work: all, until a test takes some away."""
    works = {(way.engine, way.device) for way in opening._ONNX_WAYS}

    def opened(way):
        def open_way(path, spec, device, threads):
            if (way.engine, way.device) not in works:
                raise EngineError(f"{way.engine} is not here")
            return NamedAdapter(spec, f"{way.engine} on {device}, {threads} threads")

        return replace(way, open=open_way)

    monkeypatch.setattr(opening, "_ONNX_WAYS", tuple(opened(way) for way in opening._ONNX_WAYS))
    opening._say_once.cache_clear()
    return works


@pytest.mark.parametrize(
    ("missing", "taken"),
    [
        ([], ("onnxruntime on cuda, 3 threads", "auto: a GPU works here")),
        (
            [("onnxruntime", "cuda")],
            (
                "openvino on cpu, 3 threads",
                "auto: the fastest engine for the CPU; not onnxruntime on cuda: onnxruntime is not here",
            ),
        ),
        (
            [("onnxruntime", "cuda"), ("openvino", "cpu")],
            (
                "onnxruntime on cpu, 3 threads",
                "auto: nothing faster works here; not onnxruntime on cuda: onnxruntime is not here; "
                "not openvino on cpu: openvino is not here",
            ),
        ),
    ],
)
def test_auto_takes_the_best_that_works(model, spec, working, missing, taken):
    working.difference_update(missing)
    adapter = open_adapter(model, spec, threads=3)
    assert (adapter.description, adapter.selection) == taken


def test_auto_says_once_what_it_takes_and_why(model, spec, working, caplog):
    working -= {("onnxruntime", "cuda")}
    with caplog.at_level(logging.INFO, "retinagan.runtime"):
        for _ in range(3):
            open_adapter(model, spec, threads=3)
    assert caplog.messages == [
        "openvino on cpu, 3 threads (auto: the fastest engine for the CPU; "
        "not onnxruntime on cuda: onnxruntime is not here)"
    ]


def test_auto_finds_nothing(model, spec, working):
    working.clear()
    message = (
        r'^no engine here can run tiny\.onnx: pip install "retinagan\[cpu\]", or with TensorRT only '
        r"retina-export .*tiny\.onnx --out \. --engine tensorrt\. What was tried: onnxruntime on cuda: "
        r"onnxruntime is not here; openvino on cpu: openvino is not here; onnxruntime on cpu: onnxruntime is "
        r"not here$"
    )
    with pytest.raises(EngineError, match=message):
        open_adapter(model, spec)


@pytest.mark.parametrize(
    ("engine", "device", "taken", "selection"),
    [
        ("onnxruntime", "cpu", "onnxruntime on cpu", ""),
        ("tensorrt", "auto", "tensorrt on cuda", ""),
        ("tensorrt", "cuda:2", "tensorrt on cuda:2", ""),
        ("onnxruntime", "cuda:1", "onnxruntime on cuda:1", ""),
        ("auto", "cuda:1", "onnxruntime on cuda:1", ""),
        ("openvino", "auto", "openvino on cpu", ""),
        ("auto", "cuda", "onnxruntime on cuda", ""),
        ("auto", "cpu", "openvino on cpu", "auto: the fastest engine for the CPU"),
        ("onnxruntime", "auto", "onnxruntime on cuda", "auto: a GPU works here"),
    ],
)
def test_what_is_asked_for_by_name_is_taken(model, spec, working, engine, device, taken, selection):
    adapter = open_adapter(model, spec, device, engine=engine)
    assert adapter.description == f"{taken}, None threads"
    assert adapter.selection == selection


@pytest.mark.parametrize(("engine", "device"), [("openvino", "cpu"), ("auto", "cuda"), ("tensorrt", "auto")])
def test_what_is_asked_for_by_name_is_not_replaced(model, spec, working, engine, device):
    working &= {("onnxruntime", "cpu")}
    with pytest.raises(EngineError, match=r"^(openvino|onnxruntime|tensorrt) is not here$"):
        open_adapter(model, spec, device, engine=engine)


@pytest.mark.parametrize(
    ("engine", "device", "only"),
    [("openvino", "cuda", "cpu"), ("openvino", "cuda:1", "cpu"), ("tensorrt", "cpu", "cuda")],
)
def test_an_engine_does_not_run_on_every_device(model, spec, engine, device, only):
    message = f'^engine "{engine}" does not run on device "{device}", only on "{only}"$'
    with pytest.raises(OptionError, match=message):
        open_adapter(model, spec, device, engine=engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"device": "tpu"},
            'device: got \'tpu\'; expected "auto", "cpu", "cuda" or "cuda:N"$',
        ),
        ({"device": "tensorrt"}, '"cuda" or "cuda:N"; "tensorrt" is an engine$'),
        ({"device": 1}, 'device: got 1; expected "auto", "cpu", "cuda" or "cuda:N"$'),
        ({"engine": "cuda"}, '"onnxruntime", "openvino", "tensorrt"; "cuda" is a device$'),
        ({"engine": "cuda:1"}, '"tensorrt"; "cuda:1" is a device$'),
        (
            {"engine": "torch"},
            'engine: got \'torch\'; expected one of "auto", "onnxruntime", "openvino", "tensorrt"',
        ),
        ({"threads": 0}, "threads: got 0; expected a whole number from 1; leave it out for all cores"),
    ],
)
def test_wrong_options(model, spec, options, message):
    with pytest.raises(OptionError, match=message):
        open_adapter(model, spec, **options)


def test_where_tensorrt_is_not_an_engine_is_to_be_built(model, spec, monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError) as raised:
        open_adapter(model, spec, engine="tensorrt")
    assert str(raised.value) == (
        f"{model} is an ONNX file; build a TensorRT engine from it on this device:  "
        f"retina-export {model} --out . --engine tensorrt. ONNX Runtime cannot run it with TensorRT: ONNX "
        f"Runtime {onnxruntime.__version__} has no TensorrtExecutionProvider here, only CPUExecutionProvider"
    )


@pytest.mark.parametrize(
    "options", [{"device": "cpu"}, {"engine": "onnxruntime"}, {"engine": "openvino", "device": "cuda"}]
)
def test_an_engine_runs_by_tensorrt_alone(tmp_path, options):
    path = write_tiny_model(tmp_path, tiny_spec(file="tiny.engine", engine=ENGINE))
    message = r"tiny\.engine is an engine, which only TensorRT can run, on a GPU; got engine '.*', device"
    with pytest.raises(OptionError, match=message):
        open_adapter(path, ModelSpec.load(spec_path(path)), **options)


@pytest.mark.parametrize("name", ["tiny.engine", "tiny.plan", "tiny.onnx"])
def test_an_engine_is_known_by_its_name_or_spec(tmp_path, name):
    path = write_tiny_model(tmp_path, tiny_spec(file=name, engine=ENGINE))
    with pytest.raises(EngineError, match=r"cannot run here: .* Build it here: retina-export tiny\.onnx"):
        open_adapter(path, ModelSpec.load(spec_path(path)))


def test_a_broken_model_is_not_tried_on_the_next_engine(model, spec, working):
    model.write_bytes(b"changed")
    with pytest.raises(ModelError, match="the file was changed or cut"):
        open_adapter(model, spec)


def test_a_lone_file_gives_one_warning_however_many_engines_are_tried(model, working):
    working &= {("onnxruntime", "cpu")}
    spec_path(model).unlink()
    with pytest.warns(UnverifiedModelWarning, match="is not verified") as caught:
        adapter = open_adapter(model, None)
    assert len(caught) == 1
    assert adapter.spec.sha256


def test_a_folder_in_place_of_a_model(tmp_path):
    with pytest.raises(ModelError, match="cannot read the model file"):
        open_adapter(tmp_path, None)


def test_auto_really_opens_one(model, spec):
    with open_adapter(model, spec, "cpu", threads=1) as adapter:
        assert adapter.selection.startswith("auto: ")
        adapter.infer(*patches(1))


def test_without_any_engine(model, spec, monkeypatch):
    for name in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r'no engine here .*"retinagan\[cpu\]".*"retinagan\[openvino\]"'):
        open_adapter(model, spec)
