"""A model or spec that is not what it should be; a fork after loading: a clear error, or right results."""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import EngineError, ModelError, Segmenter, segmenter
from retinagan.runtime.batch import cli
from retinagan.runtime.batch.cli import main
from retinagan.runtime.model.spec import spec_path
from retinagan.runtime.retina.find import find_retina

PATIENCE = 60  # seconds after which a forked process that hangs is ended


@pytest.fixture
def model(tmp_path) -> Path:
    return write_tiny_model(tmp_path)


def truncated(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-1])


def emptied(model: Path) -> None:
    model.write_bytes(b"")


def changed_by_a_byte(model: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 3] ^= 1
    model.write_bytes(content)


def replaced_by_another(model: Path) -> None:
    (model.parent / "other").mkdir()
    shutil.copy(write_tiny_model(model.parent / "other", width=3), model)


def with_another_spec(model: Path) -> None:
    (model.parent / "other").mkdir()
    other = write_tiny_model(model.parent / "other", tiny_spec(threshold=0.4), width=3)
    shutil.copy(spec_path(other), spec_path(model))


def edited(**values):
    """Give a fault that changes values of the spec."""

    def edit(model: Path) -> None:
        known = json.loads(spec_path(model).read_text())
        spec_path(model).write_text(json.dumps(known | values))

    return edit


def cut_spec(model: Path) -> None:
    spec_path(model).write_bytes(spec_path(model).read_bytes()[:-40])


def lone_and_truncated(model: Path) -> None:
    spec_path(model).unlink()
    truncated(model)


FAULTS = {
    "truncated": (truncated, "the file was changed or cut; get model and spec again from one place"),
    "emptied": (emptied, "the file was changed or cut"),
    "changed by a byte": (changed_by_a_byte, "the file was changed or cut"),
    "replaced by another": (replaced_by_another, "the file was changed or cut"),
    "with another's spec": (with_another_spec, "the file was changed or cut"),
    "spec of a newer version": (
        edited(format=3),
        "format: got 3, written by a newer version; this one reads up to 2",
    ),
    "threshold out of range": (edited(threshold=1.5), "threshold: got 1.5; expected a number from 0 to 1"),
    "patch larger than all": (
        edited(tiling={"patch": 4096, "overlap": 0}),
        "tiling.patch: got 4096; expected at most the working size, 128",
    ),
    "overlap of the whole patch": (
        edited(tiling={"patch": 64, "overlap": 1.0}),
        "tiling.overlap: got 1.0; expected a number from 0 to 0.9",
    ),
    "spec cut": (cut_spec, "not a model spec in JSON"),
    "lone and truncated": (lone_and_truncated, "not an ONNX file, or a truncated one: get it again"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_model_is_refused_before_any_engine_loads_it(model, name, monkeypatch):
    fault, message = FAULTS[name]
    fault(model)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # cannot be imported
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError) as raised:
        Segmenter(model)
    assert message in str(raised.value)
    assert model.name in str(raised.value)


@pytest.mark.parametrize("name", FAULTS)
def test_retina_run_says_so_in_one_line_and_writes_nothing(model, name, tmp_path, monkeypatch, capfd):
    fault, message = FAULTS[name]
    fault(model)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(drawn_retina()[0]).save("scan.png")
    assert main(["scan.png", "--model", str(model)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("retina-run: ")
    assert message in err
    assert not Path("out").exists()


def in_a_fork(task) -> bool:
    """Run a task in a forked process; give whether it returned True, in time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, the very point
        child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        right = False
        try:
            right = task()
        finally:
            os._exit(0 if right else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request) -> str:
    pytest.importorskip(request.param)
    return request.param


def test_a_fork_is_told_that_the_segmenter_stayed_behind(model, engine):
    frame, _ = drawn_retina()
    with Segmenter(model, engine=engine) as segmenter:
        expected = segmenter(frame).probability

        def told() -> bool:
            try:
                segmenter(frame)
            except EngineError as error:
                return "was opened before a fork; open the model in the process that uses it" in str(error)
            return False

        assert in_a_fork(told)
        np.testing.assert_array_equal(segmenter(frame).probability, expected)


def opened_then_forked(engine: str, model: Path, task) -> bool:
    """Run a task in a fork of a process that has used an engine; give it the frame and the result."""
    frame, _ = drawn_retina(700, 800)  # large enough for OpenCV's own threads
    with Segmenter(model, device="cpu", engine=engine) as segmenter:
        expected = segmenter(frame).probability
        return in_a_fork(lambda: task(frame, expected))


def test_a_fork_may_open_a_segmenter_of_its_own_on_onnxruntime(model):
    pytest.importorskip("onnxruntime")

    def same(frame, expected) -> bool:
        with Segmenter(model, device="cpu", engine="onnxruntime") as own:
            return np.array_equal(own(frame).probability, expected) and cv2.getNumThreads() == 1

    threads = cv2.getNumThreads()
    assert opened_then_forked("onnxruntime", model, same)
    assert cv2.getNumThreads() == threads


def test_a_fork_is_told_that_openvino_does_not_work_there(model):
    """Its threads stay in the parent: compiling would hang, on one machine often, on another never."""
    pytest.importorskip("openvino")

    def told(frame, expected) -> bool:
        try:
            Segmenter(model, engine="openvino")
        except EngineError as error:
            return (
                f"OpenVINO was loaded in process {os.getppid()} before it forked this one, {os.getpid()}, "
                'and does not work after a fork: start processes by the method "spawn", or open the model '
                'with engine="onnxruntime"'
            ) == str(error)
        return False

    assert opened_then_forked("openvino", model, told)


def test_auto_in_a_fork_takes_what_works_there(model):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")

    def close(frame, expected) -> bool:
        with Segmenter(model, device="cpu") as own:
            near = np.allclose(own(frame).probability, expected, atol=1e-3)
            why = "not openvino on cpu: OpenVINO was loaded in process"
            return near and own.engine.startswith("ONNX Runtime") and why in own.engine_selection

    assert opened_then_forked("openvino", model, close)


def test_a_fork_may_load_openvino_where_its_parent_did_not(model):
    pytest.importorskip("openvino")
    script = (
        "import os, signal, sys, warnings\n"
        "from drawn_retina import drawn_retina\n"
        "from retinagan.runtime import Segmenter\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        f"    signal.alarm({PATIENCE})\n"
        "    result = Segmenter(sys.argv[1], engine='openvino')(drawn_retina()[0])\n"
        "    os._exit(0 if result.probability.any() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", script, str(model)], env=environment, check=False)
    assert ended.returncode == 0


def test_a_library_that_ends_its_thread_costs_one_image(model, tmp_path, monkeypatch, capfd):
    def find(frame):
        if frame[0, 0, 0] == 1:
            sys.exit(0)
        return find_retina(frame)

    monkeypatch.setattr(segmenter, "find_retina", find)
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(3):
        frame, _ = drawn_retina()
        frame[0, 0] = number
        Image.fromarray(frame).save(f"in/{number}.png")
    assert main(["in", "--model", str(model)]) == 1
    assert sorted(path.name for path in Path("out").glob("*.png")) == ["0_vessels.png", "2_vessels.png"]
    assert "1.png: unexpected SystemExit: 0 (test_faults_model.py, line " in capfd.readouterr().err


def test_a_run_that_is_broken_off_is_not_called_done(model, monkeypatch, capsys):
    """Even where something in it asks the whole process to end, and calls that a success."""

    def run(options):
        raise SystemExit(0)

    monkeypatch.setattr(cli, "_run", run)
    assert main(["in", "--model", str(model)]) == 70
    assert "retina-run: unexpected SystemExit: 0 (" in capsys.readouterr().err
