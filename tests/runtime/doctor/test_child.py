import gc
import os
from pathlib import Path

import pytest
from fake_gpu import compile_driver

from retinagan.runtime.doctor import child
from retinagan.runtime.doctor.child import ask

OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that a child process can import."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, content: str) -> str:
        (tmp_path / f"{name}.py").write_text(content)
        return name

    return write


def test_imports_are_answered_one_by_one(module):
    good = module("good_module", "__version__ = '1.2'")
    bare = module("bare_module", "print('noise')")
    bad = module("bad_module", "raise RuntimeError('libGL.so.1 is\\n missing')")
    answers, end = ask({"imports": [good, bare, bad, "not_there"]})
    assert end == ""
    assert answers == [
        {"version": "1.2", "problem": ""},
        {"version": "", "problem": ""},
        {"problem": "RuntimeError: libGL.so.1 is missing"},
        {"problem": "ModuleNotFoundError: No module named 'not_there'"},
    ]


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process was killed by SIGSEGV"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 3)",
            "its process was killed by signal 37",
        ),
        ("import os; os._exit(3)", "its process failed: exit code 3"),
        ("import sys; sys.exit('it gave up')", "its process failed: it gave up"),
    ],
)
def test_a_module_that_takes_the_process_down(module, content, end):
    answers, ended = ask({"imports": [module("good_module", ""), module("deadly_module", content)]})
    assert answers == [{"version": "", "problem": ""}]
    assert ended == end


def test_a_module_that_never_ends(module):
    name = module("endless_module", "import time; time.sleep(600)")
    assert ask({"imports": [name]}, patience=0.5) == ([], "its process did not finish within 0.5 s")


def test_an_engine_that_is_not_there_is_an_answer():
    (found,), end = ask({"model": None, "engine": "tensorrt", "device": "auto"})
    assert end == ""
    assert "build a TensorRT engine from it on this device" in found["problem"]


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="this system has no /proc")
def test_no_file_is_left_open():
    gc.collect()  # what other tests left open may be closed at any time
    before = len(list(OPEN_FILES.iterdir()))
    ask({"imports": ["json"]})
    assert len(list(OPEN_FILES.iterdir())) <= before


def test_gpus_by_a_driver_that_only_the_child_loads(tmp_path, monkeypatch):
    compile_driver(tmp_path, "libcuda.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    text = "Fake GPU, compute capability 8.7, 8.0 GiB; the driver supports CUDA up to 12.6"
    assert ask({"gpus": True}) == ([{"driver": True, "text": text, "problem": ""}], "")


def test_a_driver_that_does_not_load_is_none(tmp_path, monkeypatch):
    (tmp_path / "libcuda.so.1").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    (found,), end = ask({"gpus": True})
    assert end == ""
    assert not found["driver"]
    assert found["problem"].startswith("no NVIDIA driver (libcuda.so.1 is not found)")


def test_gpus_are_asked_for_in_the_child(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr(child, "describe_gpus", lambda: "two of them")
    child.answer({"gpus": True}, writing)
    with os.fdopen(reading) as file:
        assert file.read() == '{"driver": true, "text": "two of them", "problem": ""}\n'
