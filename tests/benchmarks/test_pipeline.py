import sys
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
EXAMPLES = BENCHMARKS.parent / "examples" / "images"


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import pipeline

    return pipeline


def run(model, rate, engine="OpenVINO, CPU, FP32"):
    stages = {"read": 0.008, "infer": 0.1}
    return {
        "images": 1,
        "size": "565x584",
        "rate": rate,
        "engine share": 0.9,
        "memory": 286.4,
        "cpu": 0.25,
    } | {
        "stages": stages,
        "engine": engine,
        "model": model,
    }


def test_each_model_has_its_medians_its_engine_and_its_ratio(pipeline):
    large = [run("large", rate) for rate in (2.0, 2.5, 9.0)]
    small = [run("small", rate, "ONNX Runtime, CPU") for rate in (1.0, 5.0, 6.0)]
    lines = pipeline.table([large, small], 2).splitlines()
    assert "2 threads; 1 image of 565x584; medians of 3 runs." in lines[0]
    assert "| large | OpenVINO, CPU, FP32 | 2.50 | 1.00 | 90% | 0.25 s | 286 MiB |" in lines
    assert "| small | ONNX Runtime, CPU | 5.00 | 2.00 | 90% | 0.25 s | 286 MiB |" in lines
    assert "| small | 8.0 | 100.0 |" in lines


def test_a_run_times_every_stage_of_every_image(pipeline, tmp_path, monkeypatch, capsys):
    model = str(write_tiny_model(tmp_path))
    command = ["--images", str(EXAMPLES), "--model", model, model, "--threads", "1", "--runs", "1"]
    command += ["--save", "overlay", "--overlay-format", "png", "--field-of-view", "45", "--report"]
    monkeypatch.setattr(sys, "argv", ["pipeline.py", *command])
    pipeline.main()
    assert f"{len(list(EXAMPLES.iterdir()))} images of " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runs", "0"], "--runs 0: expected 1 or more"),
        (["--single", "--model", "a", "b"], "--single: name one model"),
        ([], "name a folder by --images, or DRIVE's by the environment variable RETINAGAN_DRIVE"),
        (["--data", "HRF"], "name a folder by --images, or HRF's by the environment variable RETINAGAN_HRF"),
    ],
)
def test_wrong_use_is_explained(pipeline, monkeypatch, capsys, words, message):
    for name in ("DRIVE", "HRF"):
        monkeypatch.delenv(f"RETINAGAN_{name}", raising=False)
    monkeypatch.setattr(sys, "argv", ["pipeline.py", *words])
    with pytest.raises(SystemExit) as caught:
        pipeline.main()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
