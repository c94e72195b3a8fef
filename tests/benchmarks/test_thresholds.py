from pathlib import Path

import numpy as np
import pytest
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset

from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores.metrics import LEVELS

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def thresholds(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import thresholds

    return thresholds


def counts(slope=1.0, offset=0.0, pixels=1_000_000):
    """Pixels of a map whose true calibration is known: many are sure background, some sure vessel."""
    raw = (np.arange(LEVELS + 1) + 0.5) / (LEVELS + 1)
    shape = (1 - raw) ** 6 + 0.1 * raw**4
    share = pixels * shape / shape.sum()
    vessel = 1 / (1 + np.exp(-(slope * np.log(raw / (1 - raw)) + offset)))
    return np.rint(1000 * np.stack([share * vessel, share * (1 - vessel)])).astype(np.int64)


def test_dice_at_counts_pixels_at_or_above_the_threshold(thresholds):
    few = np.zeros((2, LEVELS + 1), np.int64)
    few[0, 512], few[0, 0], few[1, 600], few[1, 0] = 3, 1, 2, 4
    assert thresholds.dice_at(few)[512] == pytest.approx(2 * 3 / (5 + 4))
    assert thresholds.dice_at(few)[601] == 0
    assert thresholds.dice_at(few)[0] == pytest.approx(2 * 4 / (10 + 4))


def test_the_fit_finds_the_calibration_and_the_map_its_best_threshold(thresholds):
    camera = thresholds.Camera("a", False, [counts(0.7, -0.5)])
    rule = thresholds.fitted([camera])
    assert (rule.slope, rule.offset) == pytest.approx((0.7, -0.5), abs=0.02)
    best = thresholds.dice_at(camera.pooled).max()
    for one, is_best in ((rule, True), (thresholds.UNCALIBRATED, False)):
        levels = thresholds.levels_by(Thresholding(0.5, one), camera)
        lost = best - thresholds.dice_by_map(camera, levels)
        assert (lost < 1e-5) == is_best


def test_what_a_rule_loses_is_against_the_best_of_the_camera_that_is_scored(thresholds):
    camera = thresholds.Camera("a", False, [counts(0.7, -0.5)])
    other = thresholds.Camera("b", True, [counts()])
    found = thresholds.row(camera, [other], 0.5)
    curve = thresholds.dice_at(camera.pooled)
    assert found["best Dice"] == curve.max()
    assert found["its own"] == pytest.approx(curve.max() - curve[round(0.5 * LEVELS)])
    assert found["worst camera"] == pytest.approx(
        curve.max() - curve[thresholds.dice_at(other.pooled).argmax()]
    )
    assert found["each map"] == pytest.approx(found["calibrated"], abs=1e-4), "the other is calibrated"
    assert found["each image"] == pytest.approx(0.0), "one image is the camera"


def test_a_table_of_held_out_cameras(thresholds, tmp_path, capsys):
    data = [str(write_dataset(tmp_path / name)) for name in ("first", "second")]
    model = write_checkpoint(tmp_path / "net.pt", small_generator())
    command = [str(model), "--data", *data, "--threads", "1", "--cache", str(tmp_path / "cache")]
    assert thresholds.main(command) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("| net, on cameras that it never saw | best Dice | its threshold | its own |")
    assert [line.split()[1] for line in printed.splitlines()[2:5]] == ["first", "second", "worst"]
    assert len(list((tmp_path / "cache").iterdir())) == 6
    assert thresholds.main(command) == 0
    assert capsys.readouterr().out == printed, "from the cache"


def test_the_model_of_a_run_is_named_after_it(thresholds, tmp_path, capsys):
    data = [str(write_dataset(tmp_path / name, 1, 1)) for name in ("first", "second")]
    (tmp_path / "without-first").mkdir()
    model = write_checkpoint(tmp_path / "without-first" / "model.pt", small_generator())
    assert thresholds.main([str(model), "--data", *data, "--threads", "1"]) == 0
    assert capsys.readouterr().out.startswith("| without-first, on cameras that it never saw |")


def test_one_folder_is_refused(thresholds, capsys):
    with pytest.raises(SystemExit):
        thresholds.main(["retina-gan", "--data", "a"])
    assert "give at least two folders" in capsys.readouterr().err


def test_a_models_rule_is_stored(thresholds, tmp_path, capsys):
    data = [str(write_dataset(tmp_path / name, 1, 1)) for name in ("first", "second")]
    record = {"datasets": [{"folder": "first", "training_images": ["21_training"]}]}
    model = write_checkpoint(tmp_path / "net.pt", small_generator(), record=record)
    assert thresholds.main([str(model), "--data", *data, "--threads", "1", "--write"]) == 0
    rule = load_checkpoint(model).map_threshold
    assert isinstance(rule, MapThreshold)
    assert f"{model}: {rule}" in capsys.readouterr().out


def test_a_model_that_was_trained_on_none_of_the_data_has_no_rule_to_store(thresholds, tmp_path, capsys):
    data = [str(write_dataset(tmp_path / name, 1, 1)) for name in ("first", "second")]
    model = write_checkpoint(tmp_path / "net.pt", small_generator())
    with pytest.raises(SystemExit):
        thresholds.main([str(model), "--data", *data, "--threads", "1", "--write"])
    assert f"--write: none of --data is what {model} was trained on" in capsys.readouterr().err
