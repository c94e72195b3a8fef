import io
import json
import re
from dataclasses import replace

import fake_triton
import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec, write_tiny_model

from retinagan.export.cli import main
from retinagan.export.progress import StepLog
from retinagan.export.triton.repository import write_repository
from retinagan.runtime import ModelError, OptionError, Segmenter
from retinagan.runtime.model.parameters import EngineBuild
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path)


def written(model, folder) -> list[str]:
    write_repository(model, folder, StepLog(io.StringIO()))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


WHOLE = ["tiny/1/model.py", "tiny/1/tiny.onnx", "tiny/1/tiny.onnx.json", "tiny/config.pbtxt"]
NETWORK = ["tiny-network/1/model.onnx", "tiny-network/config.pbtxt"]


def test_both_models_are_written(model, tmp_path):
    assert written(model, tmp_path / "models") == sorted([*WHOLE, *NETWORK])
    for copy in ("tiny/1/tiny.onnx", "tiny-network/1/model.onnx"):
        assert (tmp_path / "models" / copy).read_bytes() == model.read_bytes()


def test_the_written_model_runs_in_tritons_place(model, tmp_path, monkeypatch):
    written(model, tmp_path / "models")
    monkeypatch.setitem(__import__("sys").modules, "triton_python_backend_utils", fake_triton)
    folder = tmp_path / "models" / "tiny"
    code: dict = {}
    exec(compile((folder / "1" / "model.py").read_text(), "model.py", "exec"), code)
    served = code["TritonPythonModel"]()
    parameters = {"model_file": {"string_value": "tiny.onnx"}, "engine": {"string_value": "onnxruntime"}}
    served.initialize(
        {
            "model_config": json.dumps({"parameters": parameters}),
            "model_repository": str(folder),
            "model_version": "1",
            "model_instance_kind": "CPU",
            "model_instance_device_id": "0",
        }
    )
    image = drawn_retina()[0]
    (response,) = served.execute([fake_triton.Request({"image": image}, ("vessels",))])
    served.finalize()
    with Segmenter(model, engine="onnxruntime") as segmenter:
        np.testing.assert_array_equal(response.arrays()["vessels"], segmenter(image).vessels)


def test_the_written_model_says_what_is_not_installed(model, tmp_path, monkeypatch):
    written(model, tmp_path / "models")
    monkeypatch.setitem(__import__("sys").modules, "retinagan.runtime.serve.triton", None)
    text = (tmp_path / "models" / "tiny" / "1" / "model.py").read_text()
    with pytest.raises(ModuleNotFoundError, match=re.escape('type  pip install "retinagan[cpu]"')):
        exec(compile(text, "model.py", "exec"), {})


def test_an_earlier_export_is_replaced_and_other_models_stay(model, tmp_path):
    folder = tmp_path / "models"
    written(model, folder)
    (folder / "tiny" / "1" / "leftover").touch()
    (folder / "other").mkdir()
    (folder / "other" / "config.pbtxt").write_text('name: "other"')
    assert written(model, folder) == sorted([*WHOLE, *NETWORK, "other/config.pbtxt"])


@pytest.mark.parametrize("content", [None, b'name: "tiny"', b"\xff"])
def test_a_folder_of_others_is_left_alone(model, tmp_path, content):
    taken = tmp_path / "models" / "tiny-network"
    taken.mkdir(parents=True)
    if content is not None:
        (taken / "config.pbtxt").write_bytes(content)
    with pytest.raises(
        OptionError, match="tiny-network is there and was not written by retina-export; move it"
    ):
        written(model, tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny-network"]


def test_an_engine(tmp_path):
    build = EngineBuild("tensorrt", "10.3", "Orin", "8.7", "linux-aarch64", (1, 4, 6), "tiny.onnx")
    engine = write_engine(tmp_path, build)
    assert written(engine, tmp_path / "models") == [
        "tiny-network/1/model.plan",
        "tiny-network/config.pbtxt",
        "tiny/1/model.py",
        "tiny/1/tiny.engine",
        "tiny/1/tiny.engine.json",
        "tiny/config.pbtxt",
    ]
    rtx = write_engine(tmp_path, replace(build, builder="tensorrt_rtx"))
    with pytest.raises(OptionError, match="Triton's TensorRT backend cannot run an engine of tensorrt_rtx"):
        written(rtx, tmp_path / "models")


def write_engine(folder, build: EngineBuild):
    path = folder / "tiny.engine"
    path.write_bytes(b"an engine")
    ModelSpec.save(tiny_spec(file=path.name, sha256=sha256_of(path), engine=build), spec_path(path))
    return path


def test_the_network_is_left_out_where_triton_cannot_compute_it(tmp_path):
    model = write_tiny_model(tmp_path, tiny_spec(precision="bf16"))
    assert written(model, tmp_path / "models") == sorted(WHOLE)


def test_models_that_cannot_be_served(model, tmp_path):
    with pytest.raises(
        OptionError, match=r"Triton runs ONNX files and engines; first type  retina-export .*model.pt"
    ):
        written(tmp_path / "model.pt", tmp_path / "models")
    model.write_bytes(b"changed")
    with pytest.raises(ModelError, match="the file was changed or cut"):
        written(model, tmp_path / "models")
    spec_path(model).unlink()
    with pytest.raises(ModelError, match=r"its spec tiny\.onnx\.json is not beside it"):
        written(model, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_the_command(model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(model), "--triton", "models"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == "To serve them:  tritonserver --model-repository models"
    assert (tmp_path / "models" / "tiny" / "config.pbtxt").is_file()


def test_a_bundled_model_by_its_name(tmp_path, capsys):
    assert main(["retina-gan-small", "--triton", str(tmp_path)]) == 0
    assert (tmp_path / "retina-gan-small" / "1" / "retina-gan-small.onnx").is_file()


def test_options_of_an_export_are_refused(model, tmp_path, capsys):
    assert (
        main([str(model), "--triton", str(tmp_path / "models"), "--precision", "fp16", "--accept-drop"]) == 2
    )
    assert capsys.readouterr().err == (
        "retina-export: --precision, --accept-drop: not with --triton, which takes a model as it is: first "
        "export it without --triton, then give the exported file to --triton alone\n"
    )


def test_a_folder_that_cannot_be_written_to(model, tmp_path, capsys):
    (tmp_path / "models").touch()
    assert main([str(model), "--triton", str(tmp_path / "models")]) == 2
    assert "choose another with --triton" in capsys.readouterr().err
