"""`retina-export` from an ONNX file to all precisions; the tiny model marks dark lines, as a trained one."""

import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from retinagan.export import plan
from retinagan.export.cli import main
from retinagan.export.precisions import drafts, exporting
from retinagan.export.proof import bounds
from retinagan.export.proof.bounds import Bounds
from retinagan.export.proof.images import ImageFolder
from retinagan.export.proof.measure import measure
from retinagan.export.proof.pack import read_pack
from retinagan.runtime import Segmenter
from retinagan.runtime.engines import OnnxRuntimeAdapter, open_adapter
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import verify
from retinagan.train.scores.metrics import Histogram

pytestmark = pytest.mark.usefixtures("short_pack")  # `all_of`, a process of its own, has whole packs

ALL = ("fp32", "fp16", "int8", "int8-openvino", "int8-onnxruntime")
FILES = ("tiny.onnx", *(f"tiny-{precision}.onnx" for precision in ALL[1:]))


def export(*arguments):
    return main([*map(str, arguments), "--engine", "none"])


@pytest.fixture(scope="module")
def all_of(tmp_path_factory, tiny, dataset):
    """The folder of an export in all precisions, proven on a dataset with truth, and what was printed."""
    out = tmp_path_factory.mktemp("all")
    command = [tiny, "--out", out, "--precision", *ALL, "--calibrate", dataset, "--verify", dataset]
    program = "from retinagan.export.cli import main; import sys; sys.exit(main())"
    arguments = [sys.executable, "-c", program, *map(str, command), "--engine", "none"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return out, done.stdout


def test_writes_a_file_and_a_spec_for_each_precision_and_a_pack(all_of):
    out, _ = all_of
    assert {path.name for path in out.iterdir()} == {
        *FILES,
        *(f"{name}.json" for name in FILES),
        "tiny-proof",
    }
    for name, precision in zip(FILES, ("fp32", "fp16", "int8", "int8", "int8"), strict=True):
        spec = ModelSpec.load(spec_path(out / name))
        verify(out / name, spec)
        assert (spec.name, spec.file, spec.precision) == ("tiny", name, precision)


def test_every_file_runs_and_finds_the_same_vessels(all_of, dataset):
    out, _ = all_of
    image = next(iter(ImageFolder(dataset, "test")))
    maps = []
    for name in FILES:
        with Segmenter(out / name, engine="onnxruntime", threads=1) as segmenter:
            maps.append(segmenter(image.pixels).vessels)
    for other in maps[1:]:
        assert 2 * (maps[0] & other).sum() / (maps[0].sum() + other.sum()) > 0.9


def test_the_proof_is_what_the_file_shows(all_of, dataset):
    out, _ = all_of
    path = out / "tiny-int8-openvino.onnx"
    spec = ModelSpec.load(spec_path(path))
    reference_spec = ModelSpec.load(spec_path(out / "tiny.onnx"))
    with (
        open_adapter(path, spec, device="cpu") as candidate,
        OnnxRuntimeAdapter(out / "tiny.onnx", reference_spec) as reference,
    ):
        folder = ImageFolder(dataset, "test")
        (found,), truth = measure(folder, reference_spec, reference, [candidate])
    assert spec.proof["candidate"] == candidate.description  # what a CPU takes for this file
    proof = spec.proof["verify"]
    assert proof["images"] == 4
    assert proof["max_abs_difference"] == pytest.approx(found.agreement.largest)
    assert proof["mean_abs_difference"] == pytest.approx(found.agreement.mean)
    assert proof["map_dice"] == pytest.approx(found.agreement.dice(spec.threshold))
    assert isinstance(found.truth, Histogram)
    scores = found.truth.scores(spec.threshold)
    assert proof["scores"] == pytest.approx(
        {
            "auc": scores.auc,
            "dice": scores.dice,
            "acc": scores.accuracy,
            "sen": scores.sensitivity,
            "spe": scores.specificity,
        }
    )
    assert proof["reference_scores"]["dice"] == pytest.approx(truth.scores(0.5).dice)
    assert spec.scores == {"region": "inside the FOV, native size, pooled", "images": 4, **proof["scores"]}


def test_the_threshold_is_refitted_and_stored_in_the_file_too(all_of, dataset):
    out, _ = all_of
    spec = ModelSpec.load(spec_path(out / "tiny-int8.onnx"))
    assert spec.threshold != 0.5
    assert spec.proof["reference_threshold"] == 0.5
    lone = out / "lone"
    lone.mkdir(exist_ok=True)
    shutil.copy(out / "tiny-int8.onnx", lone)
    with pytest.warns(UserWarning, match="not verified"), Segmenter(lone / "tiny-int8.onnx") as segmenter:
        assert segmenter.spec.threshold == spec.threshold
    shutil.rmtree(lone)


def test_the_calibration_is_on_record(all_of):
    out, _ = all_of
    proofs = [ModelSpec.load(spec_path(out / name)).proof for name in FILES]
    assert "calibration" not in proofs[0]
    assert proofs[2]["calibration"] == proofs[3]["calibration"]  # one calibration for both
    assert proofs[2]["calibration"]["images"] == 4
    assert "layers_in_float" in proofs[2]


def test_every_file_is_bound_to_the_pack(all_of):
    out, _ = all_of
    for name in FILES:
        pack = read_pack(out / name, ModelSpec.load(spec_path(out / name)))
        assert len(pack.images) == 3
        assert pack.spec.precision == "fp32"


def test_the_table_says_which_engine_each_file_is_for(all_of):
    out, printed = all_of
    rows = printed.splitlines()[-5:]
    meant_for = ("every engine", "TensorRT", "TensorRT", "OpenVINO on a CPU", "ONNX Runtime on a CPU")
    for row, name, engines in zip(rows, FILES, meant_for, strict=True):
        spec = ModelSpec.load(spec_path(out / name))
        assert row.split("  ")[0] == str(out / name)
        assert f"  {engines}  " in row
        assert f"{spec.proof['verify']['scores']['auc']:.4f}" in row.split()
    assert [line.partition(" ... ")[0] for line in printed.splitlines()[:10]] == [
        "read ONNX file",
        "check graph",
        "calibrate",
        "write fp16",
        "write int8",
        "write int8-openvino",
        "write int8-onnxruntime",
        "make proof pack",
        "refit thresholds",
        "compare on proof pack",
    ]
    assert "half of them rich in vessels" in printed


def test_precisions_from_an_onnx_file_need_no_torch(tiny, dataset, tmp_path):
    program = (
        "import sys; sys.modules.update(torch=None, onnxscript=None, sklearn=None);"
        "from retinagan.export.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [
        tiny,
        "--out",
        tmp_path,
        "--precision",
        "fp16",
        "int8",
        "--calibrate",
        dataset,
        "--engine",
        "none",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "tiny-int8.onnx").is_file()
    assert not (tmp_path / "tiny.onnx").exists()


@pytest.fixture
def strict(monkeypatch):
    """Bounds that plain INT8 of the tiny model misses, and INT8 with one layer in float keeps."""
    monkeypatch.setitem(bounds.BOUNDS, "int8", Bounds(0.02, 0.0, 1.0))


def int8(tiny, dataset, out, *more):
    return export(tiny, "--out", out, "--precision", "int8", "--calibrate", dataset, *more)


def test_without_openvino_its_int8_is_proven_on_onnx_runtime(tiny, dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    made = ("--out", tmp_path, "--precision", "int8-openvino", "--calibrate", dataset)
    assert export(tiny, *made) == 0
    spec = ModelSpec.load(spec_path(tmp_path / "tiny-int8-openvino.onnx"))
    assert spec.proof["candidate"].startswith("ONNX Runtime ")


def test_layers_that_cost_too_much_stay_in_float(tiny, dataset, tmp_path, strict, capsys):
    assert int8(tiny, dataset, tmp_path) == 0
    spec = ModelSpec.load(spec_path(tmp_path / "tiny-int8.onnx"))
    kept = spec.proof["layers_in_float"]
    assert len(kept) == 1
    assert spec.proof["proof_pack"]["max_abs_difference"] <= 0.02
    printed = capsys.readouterr().out
    assert "tiny-int8.onnx exceeds its bounds: searching for the layers that cause it" in printed
    assert f"rank layers by cost ... most costly {kept[0]}" in printed


@pytest.fixture
def impossible(monkeypatch):
    monkeypatch.setitem(bounds.BOUNDS, "int8", Bounds(None, 1.01, -1.0))


def test_int8_that_misses_its_bounds_is_refused(tiny, dataset, tmp_path, impossible, capsys):
    assert int8(tiny, dataset, tmp_path, "--verify", dataset) == 1
    error = capsys.readouterr().err
    assert "tiny-int8.onnx: Dice against truth drops by " in error
    assert "Nothing was written; use --accept-drop to write it anyway" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_drop_may_be_accepted_and_stays_on_record(tiny, dataset, tmp_path, impossible, capsys):
    assert int8(tiny, dataset, tmp_path, "--accept-drop") == 0
    spec = ModelSpec.load(spec_path(tmp_path / "tiny-int8.onnx"))
    (fault,) = spec.proof["accepted"]
    assert fault.startswith("Dice of its vessel map with FP32's is ")


def test_nothing_is_accepted_for_fp32(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(bounds.BOUNDS, "fp32", Bounds(None, 1.01, 1.0))
    assert export(tiny, "--out", tmp_path, "--precision", "fp32", "--accept-drop") == 1
    assert capsys.readouterr().err.endswith("Nothing was written\n")


def test_a_precision_that_gives_nan_is_never_written(tiny, tmp_path, monkeypatch, capsys):
    class Broken(OnnxRuntimeAdapter):
        def _run(self, image, roi, out):
            super()._run(image, roi, out)
            out[:, 0, 32, 32] = np.nan

    monkeypatch.setattr(drafts, "OnnxRuntimeAdapter", Broken)
    assert export(tiny, "--out", tmp_path, "--precision", "fp16", "--accept-drop") == 1
    assert "returns NaN or infinity" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_bf16_is_fp32s_graph_proven_on_openvino(tiny, tmp_path, monkeypatch):
    opened = []

    class Rounded(OnnxRuntimeAdapter):
        """Stands for OpenVINO on a CPU with BF16, which not every one has."""

        def __init__(self, path, spec):
            opened.append(spec.precision)
            super().__init__(path, spec)

        def _run(self, image, roi, out):
            super()._run(image, roi, out)
            np.copyto(out, (out.view(np.uint32) & 0xFFFF0000).view(np.float32))

    monkeypatch.setattr(drafts, "OpenVinoAdapter", Rounded)
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(plan, "bf16_obstacle", lambda: "")
    assert export(tiny, "--out", tmp_path, "--precision", "fp32", "bf16") == 0
    assert set(opened) == {"bf16"}
    full, rounded = (onnx.load(tmp_path / name) for name in ("tiny.onnx", "tiny-bf16.onnx"))
    assert rounded.graph == full.graph
    proof = ModelSpec.load(tmp_path / "tiny-bf16.onnx.json").proof
    assert proof["meant_for"] == "OpenVINO on a CPU with BF16"
    assert 1e-4 < proof["proof_pack"]["max_abs_difference"] < 0.01


def test_bf16_without_openvino(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert export(tiny, "--out", tmp_path, "--precision", "bf16") == 2
    assert 'pip install "retinagan[openvino]"' in capsys.readouterr().err


def test_bf16_on_a_cpu_without_it_is_refused_before_the_work(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(plan, "bf16_obstacle", lambda: "this CPU does not support BF16")
    for planned in ([], ["--plan"]):
        assert export(tiny, "--out", tmp_path / "out", "--precision", "fp32", "bf16", *planned) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == (
            "retina-export: --precision bf16 cannot be proven here: this CPU does not support BF16; "
            "leave bf16 out\n"
        )


@pytest.mark.parametrize("planned", [[], ["--plan"]])
def test_int8_without_images(tiny, tmp_path, capsys, planned):
    assert export(tiny, "--out", tmp_path, "--precision", "int8", *planned) == 2
    assert "INT8 needs images for its calibration: give a folder" in capsys.readouterr().err


@pytest.mark.parametrize("planned", [[], ["--plan"]])
def test_int8_with_too_few_images(tiny, tmp_path, dataset, capsys, planned):
    one = dataset / "images" / "0.png"
    assert export(tiny, "--out", tmp_path, "--precision", "int8", "--calibrate", one, *planned) == 2
    assert "1 image for calibration; INT8 needs at least 4" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_stopped_while_files_are_given_out(tiny, tmp_path, monkeypatch, capsys):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_given_out", stopped)
    assert export(tiny, "--out", tmp_path, "--precision", "fp16") == 130
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_and_nothing_to_do(tiny, tmp_path, capsys):
    assert export(tiny, "--out", tmp_path) == 2
    assert "give --precision or --engine tensorrt to say what to make" in capsys.readouterr().err


def test_an_engine_is_no_source(tmp_path, capsys):
    assert export(tmp_path / "tiny.engine", "--out", tmp_path) == 2
    assert "this is an engine already; inspect it with --check" in capsys.readouterr().err


def test_where_no_engine_is_asked_for_the_line_for_the_device_is_given(tiny, tmp_path, capsys):
    assert main([str(tiny), "--out", str(tmp_path), "--precision", "fp32"]) == 0
    printed = capsys.readouterr().out
    assert "copy these files to the device" in printed
    assert "retina-export tiny.onnx --out . --engine tensorrt" in printed
    assert main([str(tiny), "--out", str(tmp_path), "--precision", "fp32", "--engine", "none"]) == 0
    assert "--engine tensorrt" not in capsys.readouterr().out


def test_the_line_for_the_device_keeps_the_batch(tiny, tmp_path, capsys):
    batch = ("--batch", "1", "2", "4")
    assert main([str(tiny), "--out", str(tmp_path), "--precision", "fp32", *batch]) == 0
    assert "retina-export tiny.onnx --out . --engine tensorrt --batch 1 2 4\n" in capsys.readouterr().out


def test_an_engine_that_cannot_be_built_is_said_before_the_work(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    out = tmp_path / "out"
    command = [str(tiny), "--out", str(out), "--precision", "fp32", "--engine", "tensorrt"]
    assert main(command) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "--engine tensorrt cannot be built here: TensorRT cannot be imported" in shown.err
    assert not out.exists()


def test_a_batch_out_of_order_is_found_before_the_work(tiny, tmp_path, capsys):
    assert export(tiny, "--out", tmp_path / "out", "--precision", "fp32", "--batch", "3", "2", "1") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "--batch: got 3 2 1; expected the smallest" in shown.err


def test_what_an_engine_does_not_ask_for_is_refused(tiny, tmp_path, dataset, capsys):
    command = [str(tiny), "--out", str(tmp_path), "--engine", "tensorrt-rtx", "--verify", str(dataset)]
    assert main([*command, "--threshold", "0.3"]) == 2
    assert "--threshold, --verify: an engine takes this from tiny.onnx" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
