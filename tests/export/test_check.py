import json
import shutil
from dataclasses import replace
from importlib import metadata

import pytest

from retinagan.export import check as module
from retinagan.export.cli import main
from retinagan.runtime.model.parameters import EngineBuild
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of

MEASURED = {"images": 3, "max_abs_difference": 0.1, "mean_abs_difference": 0.002, "map_dice": 0.99}
SCORES = {"auc": 0.979, "dice": 0.82, "acc": 0.955, "sen": 0.83, "spe": 0.97}
PROOF = {
    "reference": "torch 2.13, CPU",
    "meant_for": "TensorRT, OpenVINO",
    "proof_pack": MEASURED,
    "verify": {**MEASURED, "images": 20, "scores": SCORES, "reference_scores": {**SCORES, "dice": 0.824}},
}


@pytest.fixture
def artefact(tiny, tmp_path):
    """Give a function that writes an artefact with other values in its spec."""

    def write(name="tiny-int8.onnx", **changes):
        path = tmp_path / name
        shutil.copy(tiny, path)
        spec = replace(ModelSpec.load(spec_path(tiny)), file=name, precision="int8", proof=PROOF)
        replace(spec, sha256=sha256_of(path), **changes).save(spec_path(path))
        return path

    return write


def checked(capsys, *arguments):
    """Check a file; give the code and what is said under each heading."""
    code = main(["--check", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.err == ""
    width = len("runs on")
    lines = [(line[:width].strip(), line[width:].strip()) for line in captured.out.splitlines()]
    return code, lines


def test_says_what_a_file_is(artefact, capsys):
    path = artefact()
    code, lines = checked(capsys, path)
    said = dict(lines)
    assert code == 0
    assert said["file"].startswith(f"{path}, 0.00 MB, as exported (SHA-256 ")
    assert said["model"] == "tiny, int8, for TensorRT, OpenVINO"
    assert said["runs on"] == (
        "the retina at 128 x 128 pixels in patches of 64; pixels at or above 0.500 count as vessel"
    )
    assert said["proof"] == (
        "20 images (verify) against torch 2.13, CPU: probability differs by 1.0e-01 at most, 2.0e-03 on "
        "average; Dice of the maps 0.9900"
    )
    assert ("", "against truth: AUC 0.9790, Dice 0.8200, Acc 0.9550, Sen 0.8300, Spe 0.9700") in lines
    assert ("", "FP32 had:      AUC 0.9790, Dice 0.8240, Acc 0.9550, Sen 0.8300, Spe 0.9700") in lines
    assert said["bounds"] == "kept"
    assert f"ONNX Runtime {metadata.version('onnxruntime')}" in said["here"]


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (["--max-drop", "0.003"], "Dice against truth drops by 0.0040 from FP32's; the limit is 0.003"),
        (["--max-difference", "0.01"], "probabilities differ by up to 0.1; the limit is 0.01"),
    ],
)
def test_other_bounds_are_checked_without_running_anything(artefact, capsys, monkeypatch, bound, said):
    monkeypatch.setattr("retinagan.runtime.engines.open_adapter", None)
    path = artefact()
    code, lines = checked(capsys, path, *bound)
    assert code == 1
    assert dict(lines)["bounds"] == said


def test_without_truth_the_agreement_is_held(artefact, capsys):
    path = artefact(proof={**PROOF, "verify": MEASURED})
    assert checked(capsys, path, "--min-agreement", "0.98")[0] == 0
    code, lines = checked(capsys, path, "--min-agreement", "0.995")
    assert code == 1
    assert dict(lines)["bounds"] == "Dice of its vessel map with FP32's is 0.9900; the limit is 0.995"


def test_what_was_kept_in_float_and_accepted_is_said(artefact, capsys):
    path = artefact(proof={**PROOF, "layers_in_float": ["conv_1"], "accepted": ["Dice drops by 0.1"]})
    _, lines = checked(capsys, path)
    assert ("", "layers kept in float: conv_1") in lines
    assert ("", "accepted by --accept-drop: Dice drops by 0.1") in lines


def test_no_proof(artefact, capsys):
    code, lines = checked(capsys, artefact(proof={}))
    assert code == 1
    assert dict(lines)["proof"] == "none"
    assert dict(lines)["bounds"] == "it has no proof: export it again"


def test_nothing_that_runs_it(artefact, capsys, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.metadata, "version", missing)
    code, lines = checked(capsys, artefact())
    assert code == 1
    assert lines[-2:] == [
        ("here", "neither ONNX Runtime nor OpenVINO is installed"),
        ("", 'type  pip install "retinagan[cpu]"'),
    ]


def test_an_engine_of_another_device_and_the_command_that_rebuilds_it(artefact, capsys):
    build = EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", "linux-aarch64", (1, 4, 4), "tiny-int8.onnx")
    code, lines = checked(capsys, artefact("tiny-int8.engine", engine=build))
    assert code == 1
    assert dict(lines)["model"] == (
        "tiny, int8, engine built with tensorrt 10.3.0 for Orin (compute capability 8.7), linux-aarch64, "
        "from tiny-int8.onnx"
    )
    assert dict(lines)["bounds"] == "kept"
    assert "retina-export tiny-int8.onnx --out . --engine tensorrt --batch 1 4 4" in lines[-1][1]


def fails(capsys, path, message):
    assert main(["--check", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_no_file(tmp_path, capsys):
    fails(capsys, tmp_path / "gone.onnx", "gone.onnx: no such file")


def test_no_spec(artefact, capsys):
    path = artefact()
    spec_path(path).unlink()
    fails(capsys, path, "its spec tiny-int8.onnx.json is not beside it")


def test_a_file_that_was_changed(artefact, capsys):
    path = artefact()
    path.write_bytes(path.read_bytes()[:-1])
    fails(capsys, path, "SHA-256 is ")


def test_a_broken_spec(artefact, capsys):
    path = artefact()
    values = json.loads(spec_path(path).read_text())
    spec_path(path).write_text(json.dumps({**values, "precision": "int4"}))
    fails(capsys, path, 'precision: got "int4"')
