import copy
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from drawn_retina import drawn_retina
from small_checkpoint import small_generator, write_checkpoint

from retinagan.export.cli import main
from retinagan.export.graph import build as onnx_file
from retinagan.export.graph.torch_adapter import TorchAdapter
from retinagan.export.precisions import drafts
from retinagan.export.proof.bounds import BOUNDS, Bounds
from retinagan.export.proof.images import ProofImage, synthetic_images
from retinagan.export.proof.measure import prepared, probability_map
from retinagan.runtime import Segmenter, __version__
from retinagan.runtime.engines import open_adapter
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec
from retinagan.runtime.model.verification import UnverifiedModelWarning, verify
from retinagan.train.nets.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures("short_pack")  # `exported`, which is made before, has a whole pack


def fails(capsys, *arguments, code=2):
    """Run the command, which must fail in one line; give that line."""
    assert main([str(argument) for argument in arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("retina-export: ")
    assert error.count("\n") == 1
    return error


def test_writes_the_model_its_spec_and_its_proof_pack_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == {"ru-net.onnx", "ru-net.onnx.json", "ru-net-proof"}
    spec = ModelSpec.load(exported / "ru-net.onnx.json")
    verify(exported / "ru-net.onnx", spec)
    assert (spec.name, spec.file, spec.precision, spec.threshold) == ("ru-net", "ru-net.onnx", "fp32", 0.4)


def test_the_spec_is_the_checkpoints(exported, checkpoint):
    spec = ModelSpec.load(exported / "ru-net.onnx.json")
    trained = load_checkpoint(checkpoint)
    assert spec.preprocessing == trained.preprocessing
    assert spec.network_input == trained.network_input
    assert spec.tiling == trained.tiling
    assert spec.training == trained.record


def test_the_proof_is_measured(exported):
    proof = ModelSpec.load(exported / "ru-net.onnx.json").proof
    assert 0 < proof["proof_pack"]["mean_abs_difference"] < proof["proof_pack"]["max_abs_difference"] < 1e-4
    assert proof["proof_pack"]["images"] == 3
    assert 0 < proof["noise"]["max_abs_difference"] < 1e-4
    assert proof["reference"].startswith("torch ")
    assert proof["candidate"].startswith("ONNX Runtime ")
    assert "verify" not in proof


def test_a_lone_file_runs_by_the_spec_inside(exported, tmp_path):
    spec = ModelSpec.load(exported / "ru-net.onnx.json")
    content = (exported / "ru-net.onnx").read_bytes()
    inside = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert ModelSpec.from_json(inside[METADATA_KEY]) == replace(spec, sha256="", proof={})
    (tmp_path / "lone.onnx").write_bytes(content)
    with pytest.warns(UnverifiedModelWarning), open_adapter(tmp_path / "lone.onnx", None) as adapter:
        assert replace(adapter.spec, proof=spec.proof) == spec


def test_segments_as_torch_does(exported, generator):
    frame, _ = drawn_retina()
    with Segmenter(exported / "ru-net.onnx", threads=1, engine="onnxruntime") as segmenter:
        result = segmenter(frame)
        spec = segmenter.spec
    with TorchAdapter(generator, spec) as adapter:
        image = ProofImage("drawn", frame)
        expected = probability_map(adapter, prepared(image, spec), spec)
    np.testing.assert_allclose(result.probability, expected, rtol=0, atol=1e-4)
    assert np.ptp(result.probability[result.roi]) > 0.01


def test_shows_each_step_and_a_table(checkpoint, tmp_path, built, capsys):
    assert main([str(checkpoint), "--out", str(tmp_path), "--name", "mine", "--engine", "none"]) == 0
    out, err = capsys.readouterr()
    *steps, empty, header, row = out.splitlines()
    assert [line.partition(" ... ")[0] for line in steps] == [
        "load torch",
        "read checkpoint",
        "fold BatchNorm",
        "export to ONNX",
        "check graph",
        "make proof pack",
        "compare on proof pack",
    ]
    assert all(line.endswith(" s") for line in steps)
    spec = ModelSpec.load(tmp_path / "mine.onnx.json")
    assert empty == err == ""
    assert header.split("  ")[0] == "file"
    difference = spec.proof["proof_pack"]["max_abs_difference"]
    size = (tmp_path / "mine.onnx").stat().st_size / 1e6
    assert " ".join(row.split()) == (
        f"{tmp_path / 'mine.onnx'} every engine {size:.2f} MB {difference:.1e} 1.0000 - - - - - 0.400"
    )


def test_options_go_before_the_checkpoint(checkpoint, tmp_path, built, dataset):
    values = {"--verify": dataset / "images", "--threshold": 0.3, "--patch": 16, "--overlap": 0}
    options = [text for pair in values.items() for text in map(str, pair)]
    assert main([str(checkpoint), "--out", str(tmp_path), "--engine", "none", *options]) == 0
    spec = ModelSpec.load(tmp_path / "ru-net.onnx.json")
    assert (spec.threshold, spec.tiling.patch, spec.tiling.overlap) == (0.3, 16, 0.0)
    assert spec.proof["verify"]["images"] == 4
    assert str(dataset) not in json.dumps(dict(spec.proof))


def test_a_checkpoint_without_threshold_or_record(tmp_path, capsys):
    path = write_checkpoint(
        tmp_path / "plain.pt", small_generator(recurrent=False, attention=False), threshold=None, record={}
    )
    assert main([str(path), "--out", str(tmp_path), "--engine", "none"]) == 0
    assert "threshold 0.5, the default, as none was chosen: see --threshold" in capsys.readouterr().out
    assert ModelSpec.load(tmp_path / "plain.onnx.json").threshold == 0.5


@pytest.fixture
def built(model, monkeypatch):
    """Take the model that is built already, for exports whose other steps are tested."""
    monkeypatch.setattr(onnx_file, "build_onnx", lambda *arguments: copy.deepcopy(model))


@pytest.fixture
def earlier(exported, tmp_path):
    """A folder that holds an earlier export."""
    return shutil.copytree(exported, tmp_path / "earlier")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_later_export_takes_an_earlier_ones_place(checkpoint, earlier, built, monkeypatch):
    monkeypatch.setattr(drafts, "synthetic_images", synthetic_images)  # a whole pack, as the earlier one
    before = contents(earlier)
    assert main([str(checkpoint), "--out", str(earlier), "--threshold", "0.1", "--engine", "none"]) == 0
    after = contents(earlier)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in ("ru-net.onnx.json", "ru-net-proof/proof.json"))


def test_a_model_that_differs_is_not_written(checkpoint, earlier, built, monkeypatch, capsys):
    before = contents(earlier)
    monkeypatch.setitem(BOUNDS, "fp32", Bounds(0.0, 0.0, 0.0))
    error = fails(capsys, checkpoint, "--out", earlier, "--threshold", "0.1", code=1)
    assert "ru-net.onnx: probabilities differ by up to " in error
    assert "Nothing was written" in error
    assert contents(earlier) == before


def test_a_model_that_differs_on_noise_is_not_written(checkpoint, earlier, built, monkeypatch, capsys):
    before = contents(earlier)
    monkeypatch.setattr(drafts, "NOISE_TOLERANCE", 0.0)
    error = fails(capsys, checkpoint, "--out", earlier, code=1)
    assert "differ from the trained one's by up to " in error
    assert contents(earlier) == before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_export_that_is_interrupted_leaves_nothing(
    checkpoint, earlier, built, monkeypatch, capsys, number, code
):
    before = contents(earlier)

    def interrupted(*arguments):
        assert len(contents(earlier)) > len(before)  # the model is there in the hidden folder
        signal.raise_signal(number)

    monkeypatch.setattr(drafts, "compare", interrupted)
    error = fails(capsys, checkpoint, "--out", earlier, "--threshold", "0.1", code=code)
    assert error == "retina-export: interrupted; nothing half-written is left\n"
    assert contents(earlier) == before


def test_a_full_disk(checkpoint, tmp_path, built, monkeypatch, capsys):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    error = fails(capsys, checkpoint, "--out", tmp_path)
    expected = f"cannot write to the folder '{tmp_path}' (No space left on device); choose another with --out"
    assert expected in error
    assert contents(tmp_path) == {}


def test_a_defect_is_not_taken_for_the_folders_fault(checkpoint, tmp_path, built, monkeypatch, capsys):
    def broken(*arguments):
        raise error

    monkeypatch.setattr(drafts, "compare", broken)
    for error in (ValueError("operands could not be broadcast"), OSError("libcudart.so cannot be loaded")):
        assert main([str(checkpoint), "--out", str(tmp_path)]) == 70
        err = capsys.readouterr().err
        assert err.startswith("Traceback (most recent call last):\n")
        assert f"retina-export: unexpected {type(error).__name__}: {error} (test_cli.py, line " in err
    assert contents(tmp_path) == {}


def test_a_file_in_place_of_the_folder(checkpoint, tmp_path, capsys):
    (tmp_path / "file").touch()
    for out in ("file", "file/below"):
        assert "cannot write to the folder" in fails(capsys, checkpoint, "--out", tmp_path / out)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("run-by-a-pickle",)


BAD_FILES = {
    "empty": (lambda good: b"", "not a readable torch checkpoint"),
    "text": (lambda good: b"weights", "not a readable torch checkpoint"),
    "truncated": (lambda good: good[: len(good) // 2], "not a readable torch checkpoint"),
    "pickle": (lambda good: pickle.dumps(Evil()), "not a readable torch checkpoint"),
}


@pytest.mark.parametrize(("change", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_checkpoint(checkpoint, tmp_path, capsys, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.pt"
    bad.write_bytes(change(checkpoint.read_bytes()))
    assert f"bad.pt: {message}" in fails(capsys, bad, "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pt"]


def test_a_torch_file_that_runs_code_is_not_run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"retinagan_checkpoint": 1, "generator": Evil()}, tmp_path / "evil.pt")
    assert "evil.pt: not a readable torch checkpoint" in fails(capsys, "evil.pt", "--out", "out")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pt"]


def test_a_torch_file_of_another_program(tmp_path, capsys):
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    assert "other.pt: a torch file, but no checkpoint of retina-train" in fails(
        capsys, tmp_path / "other.pt", "--out", tmp_path
    )


def test_a_missing_checkpoint(tmp_path, capsys):
    assert "gone.pt: no such checkpoint" in fails(capsys, tmp_path / "gone.pt", "--out", tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--threshold", "2", "threshold: got 2.0; expected a number from 0 to 1"),
        ("--patch", "31", "tiling.patch: got 31; expected a multiple of 2, such as 30"),
        ("--patch", "128", "tiling.patch: got 128; expected at most the working size, 64"),
        ("--overlap", "1", "overlap: got 1.0; expected a number from 0 to 0.9"),
        ("--calibrate", "nowhere", "no such file or folder: 'nowhere'"),
        ("--name", "../out", 'file: got "../out.onnx"; expected a string'),
        ("--verify", "nowhere", "no such file or folder: 'nowhere'"),
    ],
)
def test_an_option_out_of_range(checkpoint, tmp_path, built, capsys, option, value, message):
    assert message in fails(capsys, checkpoint, "--out", tmp_path, option, value)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (
            ["onnxruntime"],
            'needs packages that are not installed: onnxruntime; type  pip install "retinagan[cpu]"',
        ),
        (
            ["onnx", "onnxruntime"],
            'onnx, onnxruntime; type  pip install "retinagan[cpu,export]"',
        ),
    ],
)
def test_a_package_that_is_missing_is_named_before_the_work(
    checkpoint, tmp_path, capsys, monkeypatch, missing, line
):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert line in fails(capsys, checkpoint, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "code", "text"),
    [
        ("--version", 0, __version__),
        ("--help", 0, "CHECKPOINT_OR_ONNX"),
        ("--epochs", 2, "retina-export: unrecognized arguments: --epochs; see retina-export --help\n"),
    ],
)
def test_help_version_and_wrong_options_need_no_torch(option, code, text):
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'onnxruntime')));"
        f"from retinagan.export.cli import main; sys.exit(main([{option!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (text in done.stdout) if code == 0 else (done.stderr == text)
    assert code or done.stderr == ""
