import subprocess
import sys
from types import SimpleNamespace

import pytest

from retinagan.export import plan
from retinagan.export.cli import main
from retinagan.runtime.errors import EngineError


@pytest.fixture(autouse=True)
def no_tensorrt(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)


def planned(capsys, *arguments):
    assert main([*map(str, arguments), "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.split()) for line in lines]


def test_says_what_would_be_done_and_does_nothing(checkpoint, dataset, tmp_path, capsys):
    out = tmp_path / "out"
    lines = planned(
        capsys,
        *(checkpoint, "--out", out, "--precision", "fp32", "int8", "--name", "mine"),
        *("--calibrate", dataset, "--verify", dataset),
    )
    assert lines[0] == f"source {checkpoint}, a checkpoint"
    assert lines[1].startswith("with torch ")
    assert lines[2:6] == [
        f"writes {out}/mine.onnx, for every engine",
        f"writes {out}/mine-int8.onnx, for TensorRT, OpenVINO",
        f"calibrates with 4 images of {dataset}",
        f"proves on 3 synthetic images, kept as {out}/mine-proof, "
        f"and on 4 images of {dataset} with vessel maps",
    ]
    assert lines[6].startswith("engine none: TensorRT cannot be imported")
    assert not out.exists()


def test_a_source_that_is_not_there_is_said(tmp_path, capsys):
    lines = planned(capsys, tmp_path / "gone.pt", "--out", tmp_path, "--engine", "none")
    assert "which is not there" in lines
    assert lines[-1] == "engine none, as asked"


def test_an_engine_from_an_onnx_file_needs_no_torch_onnx_or_onnxruntime(tiny, tmp_path):
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'onnxruntime', 'sklearn')));"
        "from retinagan.export.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [str(tiny), "--out", str(tmp_path), "--engine", "tensorrt", "--plan"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "none of torch, onnx and onnxruntime, which are not needed" in done.stdout
    assert "tensorrt, but it cannot be built here: TensorRT cannot be imported" in done.stdout


def test_a_folder_without_images_is_found(tiny, tmp_path, capsys):
    command = [str(tiny), "--out", "out", "--precision", "int8", "--calibrate", str(tmp_path), "--plan"]
    assert main(command) == 2
    assert "no images in " in capsys.readouterr().err


def test_vessel_maps_need_scikit_learn(tiny, tmp_path, dataset, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    command = [str(tiny), "--out", str(tmp_path), "--precision", "fp16", "--verify", str(dataset)]
    assert main(command) == 2
    assert 'sklearn, which is not installed: type pip install "retinagan[export]"' in " ".join(
        capsys.readouterr().err.split()
    )


def test_tensorrt_is_the_engine_where_it_and_a_gpu_are_found(monkeypatch):
    monkeypatch.setattr(plan, "import_tensorrt", lambda name: SimpleNamespace(__version__="10.3.0"))
    monkeypatch.setattr(plan, "find_gpu", lambda: "a GPU")
    assert plan.choose_engine(None) == ("tensorrt", "")
    assert plan.choose_engine("none") == ("none", "")

    def no_gpu():
        raise EngineError("no NVIDIA driver")

    monkeypatch.setattr(plan, "find_gpu", no_gpu)
    assert plan.choose_engine(None) == ("none", "no NVIDIA driver")
    assert plan.choose_engine("tensorrt") == ("tensorrt", "")


@pytest.mark.parametrize("arguments", [[], ["model.onnx"], ["--out", "x"]])
def test_arguments_that_are_missing(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "give a checkpoint or an ONNX file, and a folder with --out" in capsys.readouterr().err
