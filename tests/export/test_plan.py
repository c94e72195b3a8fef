import subprocess
import sys
from types import SimpleNamespace

import pytest

from retinagan.export import plan
from retinagan.export.cli import main


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
        f"writes {out}/mine-int8.onnx, for TensorRT",
        f"calibrates with 4 images of {dataset}",
        f"proves on 3 synthetic images, kept as {out}/mine-proof, "
        f"and on 4 images of {dataset} with vessel maps",
    ]
    assert lines[6] == "engine none; --engine builds one"
    assert not out.exists()


def test_a_source_that_is_not_there_is_said(tmp_path, capsys):
    lines = planned(capsys, tmp_path / "gone.pt", "--out", tmp_path, "--engine", "none")
    assert "which does not exist" in lines
    assert lines[-1] == "engine none; --engine builds one"


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
    assert "no torch, onnx or onnxruntime: none is needed" in done.stdout
    assert "tensorrt, but it cannot be built here: TensorRT cannot be imported" in done.stdout


def test_a_folder_without_images_is_found(tiny, tmp_path, capsys):
    command = [str(tiny), "--out", "out", "--precision", "int8", "--calibrate", str(tmp_path), "--plan"]
    assert main(command) == 2
    assert "no images found in " in capsys.readouterr().err


def test_vessel_maps_need_scikit_learn(tiny, tmp_path, dataset, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    command = [str(tiny), "--out", str(tmp_path), "--precision", "fp16", "--verify", str(dataset)]
    assert main(command) == 2
    assert 'sklearn; type pip install "retinagan[export]"' in " ".join(capsys.readouterr().err.split())


def test_an_engine_that_cannot_be_built_here_names_the_way_without_it(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    command = [str(tiny), "--out", str(tmp_path / "out"), "--precision", "fp16", "--engine", "tensorrt"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-export: --engine tensorrt cannot be built here: TensorRT cannot be ")
    assert error.endswith(". For the ONNX files only, omit --engine\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [[], ["--engine", "none"]])
def test_no_engine_is_built_unless_asked_for(tiny, tmp_path, capsys, monkeypatch, more):
    monkeypatch.setattr(plan, "import_tensorrt", lambda name: SimpleNamespace(__version__="10.3.0"))
    monkeypatch.setattr(plan, "find_gpu", lambda: "a GPU")
    onnx = planned(capsys, tiny, "--out", tmp_path, "--precision", "fp16", *more)
    assert onnx[-1] == "engine none; --engine builds one"
    engine = planned(capsys, tiny, "--out", tmp_path, "--precision", "fp16", "--engine", "tensorrt")
    assert engine[-1] == "engine built by tensorrt from each portable ONNX file"


def test_an_onnx_file_alone_asks_for_nothing(tiny, tmp_path, capsys):
    assert main([str(tiny), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"retina-export: {tiny}: give --precision or --engine tensorrt to say what to make from an ONNX "
        "file\n"
    )


@pytest.mark.parametrize("arguments", [[], ["model.onnx"], ["--out", "x"]])
def test_arguments_that_are_missing(arguments, capsys):
    assert main(arguments) == 2
    assert "give a checkpoint or an ONNX file and a folder with --out" in capsys.readouterr().err
