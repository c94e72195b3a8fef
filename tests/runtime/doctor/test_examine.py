"""What `retina-doctor` finds, on computers that are made up: its questions are answered by the tests."""

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from retinagan.runtime.doctor import examine as doctor
from retinagan.runtime.doctor.examine import WAYS, Examination, Finding, examine
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.bundled import bundled_model

NO_DRIVER = {"driver": False, "problem": "no NVIDIA driver (libcuda.so.1 is not found): install one"}
A_GPU = {"driver": True, "text": "RTX 4090, compute capability 8.9", "problem": ""}


class Computer:
    """Answers as `child.ask` does; `broken` gives modules, and engines on devices, their problems."""

    def __init__(self, monkeypatch) -> None:
        self.gpus = NO_DRIVER
        self.packages = {"onnxruntime", "openvino"}
        self.distributions = {"numpy": "2.0"}
        self.broken: dict[str, str] = {}
        self.unversioned: set[str] = set()
        self.taken = "onnxruntime cpu"
        self.crash = ""
        self.jetson = ""
        monkeypatch.setattr(doctor, "_is_there", lambda module: module in self.packages)
        monkeypatch.setattr(doctor, "describe_jetson", lambda: self.jetson)
        monkeypatch.setattr(metadata, "version", self._version)

    def _version(self, name: str) -> str:
        if name not in self.distributions:
            raise metadata.PackageNotFoundError(name)
        return self.distributions[name]

    def ask(self, question):
        if "gpus" in question:
            return [self.gpus], ""
        if "imports" in question:
            names = question["imports"]
            if self.crash in names:
                return [
                    self._import(name) for name in names[: names.index(self.crash)]
                ], "its process crashed"
            return [self._import(name) for name in names], ""
        way = f"{question['engine']} {question['device']}"
        return [self._run(self.taken if way == "auto auto" else way)], ""

    def _import(self, name: str):
        if name in self.broken:
            return {"problem": self.broken[name]}
        return {"version": "" if name in self.unversioned else "3.1", "problem": ""}

    def _run(self, way: str):
        if way in self.broken or not way:
            return {"problem": self.broken.get(way, "nothing here runs it")}
        selection = "auto: the best; not another: it is not here"
        found = {"description": way, "selection": selection, "dice": 1.0, "seconds": 0.25, "recorded": True}
        return {**found, "problem": ""}


@pytest.fixture
def computer(monkeypatch) -> Computer:
    return Computer(monkeypatch)


def findings(examination: Examination, topic: str) -> list[Finding]:
    return [finding for finding in examination.findings if finding.topic == topic]


def finding(examination: Examination, topic: str) -> Finding:
    (found,) = findings(examination, topic)
    return found


def test_a_computer_where_all_is_well(computer):
    found = examine(ask=computer.ask)
    assert found.can_run
    assert not [finding for finding in found.findings if finding.state == "problem"]
    assert finding(found, "OpenCV") == Finding("OpenCV", "ok", "3.1")
    assert finding(found, "model").text == "retina-gan.onnx, fp32, hash as in its spec"
    assert finding(found, "ONNX Runtime, cuda") == Finding(
        "ONNX Runtime, cuda", "absent", "there is no usable GPU"
    )
    assert finding(found, "auto") == Finding(
        "auto", "ok", "onnxruntime cpu: vessels as recorded (Dice 1.000), 0.25 s; the best"
    )


def test_no_engine_is_installed(computer):
    computer.packages, computer.taken = set(), ""
    found = examine(ask=computer.ask)
    assert not found.can_run
    assert finding(found, "auto") == Finding(
        "auto", "problem", "no engine is installed", 'pip install "retinagan[cpu]"'
    )
    computer.gpus = A_GPU
    assert finding(examine(ask=computer.ask), "auto").advice == 'pip install "retinagan[gpu]"'
    assert finding(found, "OpenVINO, cpu") == Finding(
        "OpenVINO, cpu", "absent", "not installed", 'pip install "retinagan[openvino]"'
    )
    assert finding(found, "ONNX Runtime, cpu").advice == 'pip install "retinagan[cpu]"'


def test_an_engine_that_does_not_load_and_one_that_does(computer):
    computer.broken = {"openvino cpu": "its process was killed by SIGILL"}
    computer.taken = "openvino cpu"
    found = examine(ask=computer.ask)
    assert finding(found, "OpenVINO, cpu").state == "problem"
    assert finding(found, "OpenVINO, cpu").text == "its process was killed by SIGILL"
    assert finding(found, "ONNX Runtime, cpu").state == "ok"
    assert not found.can_run
    assert finding(found, "auto").advice == "retina-run --engine onnxruntime --device cpu IMAGE"


def test_a_process_that_gives_no_answer(computer):
    def ask(question):
        return ([], "") if "engine" in question else computer.ask(question)

    found = examine(ask=ask)
    assert not found.can_run
    assert finding(found, "auto").text == "its process gave no answer"


def test_packages_that_cannot_be_imported(computer):
    computer.broken = {"numpy": "ImportError: libblas"}
    computer.crash = "PIL"
    found = examine(ask=computer.ask)
    assert finding(found, "numpy") == Finding(
        "numpy", "problem", "cannot be imported (ImportError: libblas)", "pip install --force-reinstall numpy"
    )
    assert finding(found, "OpenCV").state == "ok"
    assert finding(found, "Pillow").text == "cannot be imported (its process crashed)"
    assert finding(found, "ACE extension") == Finding(
        "ACE extension",
        "problem",
        "cannot be imported (its process crashed)",
        "pip install --force-reinstall --no-deps retinagan",
    )
    assert not found.can_run
    assert finding(found, "auto") == Finding(
        "auto",
        "problem",
        "nothing runs without numpy and Pillow and ACE extension",
        "pip install --force-reinstall numpy",
    )
    assert not findings(found, "OpenVINO, cpu")


def test_distributions_that_overwrite_each_other(computer):
    computer.distributions = {
        "opencv-python": "4.10",
        "opencv-python-headless": "5.0",
        "onnxruntime": "1.20",
        "onnxruntime-gpu": "1.19",
    }
    found = examine(ask=computer.ask)
    _, opencv = findings(found, "OpenCV")
    assert opencv == Finding(
        "OpenCV",
        "problem",
        "opencv-python 4.10 and opencv-python-headless 5.0 are installed together and overwrite each "
        "other's files",
        "pip uninstall -y opencv-python opencv-python-headless; pip install opencv-python-headless",
    )
    runtime = finding(found, "ONNX Runtime")
    assert runtime.text.startswith("onnxruntime 1.20 and onnxruntime-gpu 1.19 are installed together")
    assert runtime.advice == 'pip uninstall -y onnxruntime onnxruntime-gpu; pip install "retinagan[cpu]"'
    computer.gpus = A_GPU
    assert finding(examine(ask=computer.ask), "ONNX Runtime").advice.endswith('pip install "retinagan[gpu]"')


def test_a_gpu_that_the_engine_does_not_use(computer):
    computer.gpus = A_GPU
    computer.broken = {"onnxruntime cuda": "CUDAExecutionProvider does not load"}
    found = examine(ask=computer.ask)
    assert finding(found, "NVIDIA GPU") == Finding("NVIDIA GPU", "ok", A_GPU["text"])
    assert finding(found, "ONNX Runtime, cuda") == Finding(
        "ONNX Runtime, cuda",
        "problem",
        "CUDAExecutionProvider does not load",
        'pip uninstall -y onnxruntime; pip install "retinagan[gpu]"',
    )
    assert finding(found, "TensorRT").advice == 'pip install "retinagan[tensorrt]"'
    assert found.can_run


def test_a_driver_that_is_not_usable(computer):
    computer.gpus = {"driver": True, "problem": "the NVIDIA driver is not usable (cuInit returns error 999)"}
    assert finding(examine(ask=computer.ask), "NVIDIA GPU") == Finding(
        "NVIDIA GPU", "problem", "the NVIDIA driver is not usable (cuInit returns error 999)", "nvidia-smi"
    )


def test_tensorrt(computer):
    computer.packages |= {"tensorrt", "tensorrt_rtx"}
    computer.unversioned = {"tensorrt_rtx"}
    found = examine(ask=computer.ask)
    assert finding(found, "TensorRT").text == "3.1, but there is no usable GPU"
    computer.gpus = A_GPU
    found = examine(ask=computer.ask)
    assert finding(found, "TensorRT") == Finding("TensorRT", "ok", "3.1; runs engines built on this device")
    assert finding(found, "TensorRT-RTX") == Finding(
        "TensorRT-RTX",
        "problem",
        "it cannot run engines (a folder named tensorrt_rtx hides it)",
        "pip install tensorrt-rtx pycuda",
    )
    computer.broken = {"pycuda.driver": "ModuleNotFoundError: No module named 'pycuda'"}
    assert finding(examine(ask=computer.ask), "TensorRT") == Finding(
        "TensorRT",
        "problem",
        "3.1 cannot run engines (ModuleNotFoundError: No module named 'pycuda')",
        'pip install "retinagan[tensorrt]"',
    )


def test_a_jetson(computer):
    computer.jetson, computer.gpus = "Jetson Linux 36.4.3 (JetPack 6)", A_GPU
    computer.packages, computer.taken = set(), ""
    found = examine(ask=computer.ask)
    assert finding(found, "Jetson").text == "Jetson Linux 36.4.3 (JetPack 6)"
    assert finding(found, "TensorRT") == Finding(
        "TensorRT",
        "problem",
        "JetPack's TensorRT is not visible here",
        "python3 -m venv --system-site-packages .venv",
    )
    computer.packages = {"tensorrt"}
    found = examine(ask=computer.ask)
    assert finding(found, "ONNX Runtime, cuda").state == "absent"
    assert finding(found, "auto").advice == (
        "retina-export retina-gan.onnx --out . --engine tensorrt; retina-doctor --model retina-gan.engine"
    )


def test_an_engine_is_run_by_nothing_else(computer, tmp_path):
    engine = tmp_path / "mine.engine"
    engine.write_bytes(b"engine")
    found = examine(engine, computer.ask)
    assert not [finding for finding in found.findings if finding.topic in {way.title for way in WAYS}]
    assert finding(found, "model") == Finding(
        "model",
        "problem",
        "mine.engine is not verified: mine.engine.json is not beside it",
        f"cp WHERE_IT_CAME_FROM/mine.engine.json {tmp_path}",
    )


def test_a_changed_model(computer, tmp_path):
    path = write_tiny_model(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    found = finding(examine(path, computer.ask), "model")
    assert found.state == "problem"
    assert "the file was changed or cut" in found.text
    assert found.advice == f"cp WHERE_IT_CAME_FROM/tiny.onnx* {tmp_path}"


def test_an_engine_that_refuses_a_changed_model_is_not_to_be_installed_again(computer, tmp_path):
    path = write_tiny_model(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    refusal = finding(examine(path, computer.ask), "model").text
    computer.broken = {"openvino cpu": refusal, "onnxruntime cpu": "out of memory", "": refusal}
    computer.taken = ""
    found = examine(path, computer.ask)
    repair = f"cp WHERE_IT_CAME_FROM/tiny.onnx* {tmp_path}"
    assert [finding(found, topic).advice for topic in ("OpenVINO, cpu", "auto")] == [repair, repair]
    assert finding(found, "ONNX Runtime, cpu").advice == 'pip install "retinagan[cpu]"'


def test_a_changed_bundled_model(computer, tmp_path, monkeypatch):
    path = Path(shutil.copy(bundled_model(), tmp_path))
    shutil.copy(f"{bundled_model()}.json", tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr("retinagan.runtime.model.bundled._FOLDER", tmp_path)
    found = finding(examine(ask=computer.ask), "model")
    assert found.advice == "pip install --force-reinstall --no-deps retinagan"


def test_no_such_model(computer):
    with pytest.raises(ModelError, match='"gone" is neither a model file nor a bundled model'):
        examine("gone", computer.ask)


def test_the_ways_are_all_that_auto_would_try():
    from retinagan.runtime.engines import opening

    known = [(way.engine, way.device) for way in opening._ONNX_WAYS if not way.by_name_only]
    assert [(way.engine, way.device) for way in WAYS] == known


def test_what_is_found_can_be_written_as_json(computer):
    found = examine(ask=computer.ask)
    assert json.loads(json.dumps(found.taken)) == found.taken


def test_modules_are_found_without_importing_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "deadly.py").write_text("raise SystemExit")
    assert doctor._is_there("deadly")
    assert not doctor._is_there("only_a_folder")
    assert not doctor._is_there("not_there.below")
