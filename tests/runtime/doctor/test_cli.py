"""`retina-doctor` as people type it."""

import json
import subprocess
import sys

import pytest

from retinagan.runtime import __version__
from retinagan.runtime.doctor import cli as doctor_cli
from retinagan.runtime.doctor.cli import main
from retinagan.runtime.doctor.examine import Examination, Finding

OK = Finding("Python", "ok", "3.11")
ABSENT = Finding("OpenVINO, cpu", "absent", "not installed", 'pip install "retinagan[openvino]"')
PROBLEM = Finding("OpenCV", "problem", "two are installed", "pip uninstall -y opencv-python")
PASSED = {"description": "an engine", "problem": ""}


@pytest.fixture
def examined(monkeypatch):
    """Give the command these findings."""

    def put(*findings: Finding, problem: str = "") -> None:
        found = Examination(findings, {"problem": problem} if problem else PASSED)
        monkeypatch.setattr("retinagan.runtime.doctor.examine.examine", lambda model: found)

    return put


def test_this_computer_by_a_process_of_its_own():
    command = [sys.executable, "-m", "retinagan.runtime.doctor.cli", "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, ""), finished.stdout
    found = json.loads(finished.stdout)
    assert found["can_run"]
    assert found["auto"]["recorded"]
    assert found["version"] == __version__
    topics = {finding["topic"]: finding for finding in found["findings"]}
    assert {"Python", "processor", "OpenCV", "NVIDIA GPU", "TensorRT", "model", "auto"} <= set(topics)
    assert topics["ONNX Runtime, cpu"]["state"] == "ok"
    assert all(finding["advice"] for finding in found["findings"] if finding["state"] == "problem")


def test_where_no_engine_loads(tmp_path, monkeypatch, capfd):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libstdc++ is too old')")
    (tmp_path / "openvino.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    assert main([]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    assert "Traceback" not in out
    lines = out.splitlines()
    assert any(line.startswith("!!  OpenVINO, cpu") and "killed by SIGILL" in line for line in lines)
    assert any(line.startswith("!!  ONNX Runtime, cpu") and "libstdc++ is too old" in line for line in lines)
    assert '    type:  pip install "retinagan[openvino]"' in lines
    assert lines[-1] == "Nothing can be segmented here until this is fixed."


def test_all_is_well(examined, capsys):
    examined(OK, ABSENT)
    assert main([]) == 0
    assert capsys.readouterr().out == (
        "ok  Python              3.11\n"
        '--  OpenVINO, cpu       not installed: pip install "retinagan[openvino]"\n'
        "\n"
        "Images can be segmented here:  retina-run IMAGE\n"
    )


def test_a_problem_comes_with_the_line_to_type(examined, capsys):
    examined(OK, PROBLEM)
    assert main([]) == 0
    assert capsys.readouterr().out.endswith(
        "!!  OpenCV              two are installed\n"
        "    type:  pip uninstall -y opencv-python\n"
        "\n"
        "Images can be segmented here, with 1 problem left:  retina-run IMAGE\n"
    )


def test_nothing_runs(examined, capsys):
    examined(PROBLEM, problem="no engine")
    assert main(["--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "version": __version__,
        "can_run": False,
        "auto": {"problem": "no engine"},
        "findings": [
            {
                "topic": "OpenCV",
                "state": "problem",
                "text": "two are installed",
                "advice": "pip uninstall -y opencv-python",
            }
        ],
    }


def test_long_lines_are_wrapped_under_their_topic(examined, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    examined(Finding("auto", "ok", "word " * 30))
    main([])
    lines = capsys.readouterr().out.splitlines()[:-2]
    assert len(lines) > 2
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith(" " * 24 + "word") for line in lines[1:])


def test_an_unknown_model(capsys):
    assert main(["--model", "gone"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        'retina-doctor: "gone" is neither a model file nor a bundled model; bundled models: '
    )


def test_wrong_options(capsys):
    assert main(["--frobnicate"]) == 2
    assert "unrecognized arguments: --frobnicate" in capsys.readouterr().err


def test_control_c_says_nothing(monkeypatch, capsys):
    def examine(model):
        raise KeyboardInterrupt

    monkeypatch.setattr("retinagan.runtime.doctor.examine.examine", examine)
    assert main([]) == 130
    assert capsys.readouterr() == ("", "")


def test_help_fits_a_terminal_and_names_every_option(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 90 for line in out.splitlines())
    assert all(option in out for option in ("--json", "--model", "--version"))


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_answer_without_opencv_or_an_engine(option):
    code = (
        "import sys; from retinagan.runtime.doctor.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'cv2', 'onnxruntime', 'openvino', 'torch', 'PIL', 'numpy'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, option], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith((f"retina-doctor {__version__}", "usage: retina-doctor"))


def test_even_the_examination_imports_no_numpy_itself():
    code = (
        "import sys; from retinagan.runtime import doctor; "
        "sys.exit(', '.join({'cv2', 'numpy', 'PIL'} & set(sys.modules)) or 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")


def test_marks_are_explained():
    assert all(mark in doctor_cli._EPILOG for mark in doctor_cli._MARKS.values())
