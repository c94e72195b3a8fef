from pathlib import Path

import numpy as np
import pytest
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def thresholds(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import thresholds

    return thresholds


def counts(thresholds, slope=1.0, offset=0.0, pixels=1e6):
    """Pixels of a map whose true calibration is known: many are sure background, some sure vessel."""
    raw = (np.arange(thresholds.BINS) + 0.5) / thresholds.BINS
    shape = (1 - raw) ** 6 + 0.1 * raw**4
    share = pixels * shape / shape.sum()
    vessel = thresholds.calibrated(slope, offset)
    return np.stack([share * vessel, share * (1 - vessel)])


def test_dice_at_counts_pixels_at_or_above_the_threshold(thresholds):
    few = np.zeros((2, thresholds.BINS))
    few[0, 512], few[0, 0], few[1, 600], few[1, 0] = 3, 1, 2, 4
    assert thresholds.dice_at(few)[512] == pytest.approx(2 * 3 / (5 + 4))
    assert thresholds.dice_at(few)[601] == 0
    assert thresholds.dice_at(few)[0] == pytest.approx(2 * 4 / (10 + 4))


def test_the_fit_finds_the_calibration_and_the_map_its_best_threshold(thresholds):
    one = counts(thresholds, 0.7, -0.5)
    assert thresholds.fitted([thresholds.Camera("a", False, [one])]) == pytest.approx((0.7, -0.5))
    best = thresholds.dice_at(one)
    assert best[thresholds.expected_best(one, thresholds.calibrated(0.7, -0.5))] == pytest.approx(
        best.max(), abs=1e-6
    )
    assert best[thresholds.expected_best(one, thresholds.calibrated(1.0, 0.0))] < best.max() - 1e-4


def test_what_a_rule_loses_is_against_the_best_of_the_camera_that_is_scored(thresholds):
    camera, other = (
        thresholds.Camera("a", False, [counts(thresholds, 0.7, -0.5)]),
        thresholds.Camera("b", True, [counts(thresholds)]),
    )
    found = thresholds.row(camera, [other], 0.5)
    curve = thresholds.dice_at(camera.pooled)
    assert found["best Dice"] == curve.max()
    assert found["its own"] == pytest.approx(curve.max() - curve[512])
    assert found["worst camera"] == pytest.approx(
        curve.max() - curve[thresholds.dice_at(other.pooled).argmax()]
    )
    assert found["each map"] == pytest.approx(found["calibrated"]), "the other camera is calibrated"
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
