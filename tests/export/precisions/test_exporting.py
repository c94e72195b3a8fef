"""Files are given out together, when all are proven, or not at all."""

import io
from dataclasses import replace

import pytest

from retinagan.export.options import Changes, ExportOptions
from retinagan.export.precisions import exporting
from retinagan.export.precisions.exporting import Artefact, export_models
from retinagan.export.progress import StepLog
from retinagan.export.proof import bounds
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.bounds import Bounds
from retinagan.runtime.errors import ImageError, ModelError, RetinaGanError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import verify

pytestmark = pytest.mark.usefixtures("short_pack")


def export(tiny, out, *precisions, **options):
    return export_models(tiny, out, ExportOptions(precisions or ("fp32",), **options), StepLog(io.StringIO()))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_written_is_given_back(tiny, tmp_path):
    artefacts = export(tiny, tmp_path / "a" / "b", "fp32", "fp16")
    assert [artefact.path.name for artefact in artefacts] == ["tiny.onnx", "tiny-fp16.onnx"]
    for artefact in artefacts:
        assert artefact.path.parent == tmp_path / "a" / "b"
        assert ModelSpec.load(spec_path(artefact.path)) == artefact.spec
        verify(artefact.path, artefact.spec)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        *("tiny-fp16.onnx", "tiny-fp16.onnx.json", "tiny-proof", "tiny.onnx", "tiny.onnx.json"),
    ]


def test_what_the_user_says_stands_in_the_specs(tiny, tmp_path):
    changes = Changes(name="mine", threshold=0.3)
    (artefact,) = export(tiny, tmp_path, changes=changes)
    assert artefact.path == tmp_path / "mine.onnx"
    assert (artefact.spec.name, artefact.spec.threshold) == ("mine", 0.3)
    assert (tmp_path / "mine-proof").is_dir()


def test_a_later_export_takes_the_earlier_ones_place_and_leaves_other_files(tiny, tmp_path):
    export(tiny, tmp_path, "fp32", changes=Changes(threshold=0.3))
    (tmp_path / "tiny-proof" / "stale.txt").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    (artefact,) = export(tiny, tmp_path, "fp32")
    assert ModelSpec.load(spec_path(artefact.path)).threshold == 0.5
    assert not (tmp_path / "tiny-proof" / "stale.txt").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_a_precision_that_misses_its_bounds_leaves_all_as_it_was(tiny, tmp_path, monkeypatch, exists):
    out = tmp_path / "out"
    if exists:
        export(tiny, out, "fp32", "fp16")
    before = contents(tmp_path)
    monkeypatch.setitem(bounds.BOUNDS, "fp16", Bounds(None, 1.01, -1.0))
    with pytest.raises(ParityError) as caught:
        export(tiny, out, "fp32", "fp16")
    assert str(caught.value).startswith("tiny-fp16.onnx: Dice of its vessel map with FP32's is ")
    assert "Nothing was written" in str(caught.value)
    assert "--accept-drop" in str(caught.value)
    assert contents(tmp_path) == before
    assert out.exists() == exists


def test_a_drop_that_is_accepted_stands_in_the_proof(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(bounds.BOUNDS, "fp16", Bounds(None, 1.01, -1.0))
    (artefact,) = export(tiny, tmp_path, "fp16", accept_drop=True)
    (fault,) = artefact.spec.proof["accepted"]
    assert fault.startswith("Dice of its vessel map with FP32's is ")


def test_no_drop_of_fp32_is_accepted(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(bounds.BOUNDS, "fp32", Bounds(None, 1.01, -1.0))
    with pytest.raises(ParityError) as caught:
        export(tiny, tmp_path / "out", "fp32", accept_drop=True)
    assert "--accept-drop" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_interrupt_leaves_nothing(tiny, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting.Prover, "prove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(tiny, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_not_there(tiny, tmp_path):
    with pytest.raises(RetinaGanError, match=r"gone\.onnx"):
        export(tmp_path / "gone.onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["calibrate", "verify"])
def test_a_folder_without_images_is_found_before_the_work(tiny, tmp_path, option):
    (tmp_path / "empty").mkdir()
    with pytest.raises((ModelError, ImageError, RetinaGanError), match="empty"):
        export(tiny, tmp_path / "out", "fp16", **{option: tmp_path / "empty"})
    assert not (tmp_path / "out").exists()


def test_too_few_images_to_calibrate_with(tiny, tmp_path, dataset):
    with pytest.raises(RetinaGanError, match="1 image for calibration; INT8 needs at least 4"):
        export(tiny, tmp_path / "out", "int8", calibrate=dataset / "images" / "0.png")
    assert not (tmp_path / "out").exists()


def test_a_row_of_the_table(tmp_path, fp32):
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(1_230_000))
    measured = {"max_abs_difference": 0.00123, "map_dice": 0.98765}
    proof = {"meant_for": "TensorRT", "proof_pack": measured}
    row = Artefact(path, replace(fp32.spec, threshold=0.4567, proof=proof)).row()
    assert row == (str(path), "TensorRT", "1.23 MB", "1.2e-03", "0.9877", *"-----", "0.457")
    assert len(row) == len(Artefact.HEADER)


def test_a_row_shows_the_images_to_verify_on_where_there_are_any(tmp_path, fp32):
    path = tmp_path / "model.onnx"
    path.touch()
    scores = {"auc": 0.98, "dice": 0.81, "acc": 0.96, "sen": None, "spe": 0.975}
    proof = {
        "meant_for": "every engine",
        "proof_pack": {"max_abs_difference": 0.5, "map_dice": 0.1},
        "verify": {"max_abs_difference": 0.0, "map_dice": 1.0, "scores": scores},
    }
    row = dict(zip(Artefact.HEADER, Artefact(path, replace(fp32.spec, proof=proof)).row(), strict=True))
    assert row["map Dice"] == "1.0000"
    assert [row[name] for name in ("AUC", "Dice", "Acc", "Sen", "Spe")] == [
        *("0.9800", "0.8100", "0.9600", "-", "0.9750"),
    ]
