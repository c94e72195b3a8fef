import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from small_dataset import write_dataset

from retinagan.runtime.errors import ImageError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import find_samples
from retinagan.train.scores.metrics import LEVELS, Histogram
from retinagan.train.scores.prediction import Predictor

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def shifts(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import shifts

    return shifts


def predictor(predict, threshold=0.5):
    return Predictor(predict, Thresholding(threshold), "a predictor", nullcontext())


def test_a_perfect_map_loses_nothing_under_any_shift(shifts, tmp_path):
    samples = find_samples(write_dataset(tmp_path), "test")
    perfect = predictor(lambda image: image.truth.astype(np.float32))
    lines = shifts.measure("perfect", perfect, samples, ["none", "haze 50 %", "400 pixels wide"]).lines
    assert [line.shift for line in lines] == ["none", "haze 50 %", "400 pixels wide"]
    assert all(line.auc == line.dice == 1.0 and line.calibration == 0.0 for line in lines)


def test_refused_images_count_as_without_vessels_and_are_told(shifts, tmp_path):
    samples = find_samples(write_dataset(tmp_path), "test")

    def refuse_wide(image):
        if image.truth.shape[1] == 400:
            raise ImageError("too wide")
        return image.truth.astype(np.float32)

    lines = shifts.measure("m", predictor(refuse_wide), samples, ["none", "400 pixels wide"]).lines
    assert [(line.failed, line.dice) for line in lines] == [(0, 1.0), (2, 0.0)]
    table = shifts.table(lines).splitlines()
    assert table[3].startswith("| 400 pixels wide (2 images refused) | 0.5000 | 0.5000 | 0.0000 | 1.0000 |")
    assert table[4].startswith("| mean of the shifts | 0.5000 |")


def test_models_are_compared_on_the_mean_of_the_shifts(shifts, tmp_path):
    samples = find_samples(write_dataset(tmp_path), "test")
    names = ["none", "haze 50 %", "400 pixels wide"]

    def blind_to_small(image):
        seen = image.truth.shape[1] != 400
        return image.truth.astype(np.float32) * np.float32(seen)

    perfect = shifts.measure(
        "perfect", predictor(lambda image: image.truth.astype(np.float32)), samples, names
    )
    blind = shifts.measure("blind", predictor(blind_to_small), samples, names)
    assert [line.dice for line in blind.lines] == [1.0, 1.0, 0.0]
    lines = shifts.comparison([perfect, blind]).splitlines()
    assert lines[0].startswith(
        "perfect above the others on the mean of the shifts; in brackets 95% of 20,000"
    )
    assert lines[2] == "| | AUC | AUC lost | Dice | Dice lost |"
    assert lines[4] == (
        "| blind | +0.2500 [+0.2500 to +0.2500] | -0.2500 [-0.2500 to -0.2500] "
        "| +0.5000 [+0.5000 to +0.5000] | -0.5000 [-0.5000 to -0.5000] |"
    )


def test_of_a_single_image_there_is_no_interval(shifts, tmp_path):
    samples = find_samples(write_dataset(tmp_path), "test")[:1]
    perfect = predictor(lambda image: image.truth.astype(np.float32))
    one = shifts.measure("m", perfect, samples, ["none", "none", "haze 50 %"])
    assert [line.shift for line in one.lines] == ["none", "haze 50 %"]
    assert shifts.comparison([one, one]).splitlines()[-1] == "| m | +0.0000 | +0.0000 | +0.0000 | +0.0000 |"


def test_what_is_lost_has_no_sign_where_it_is_0(shifts):
    lines = [
        shifts.Line("m", name, auc, 0.8, 0.8, 0.5, 0.0, 0) for name, auc in (("none", 0.9), ("a", 0.90001))
    ]
    assert shifts.table(lines).splitlines()[3].startswith("| a | 0.9000 | 0.0000 |")


def test_what_the_threshold_gives_away(shifts, tmp_path):
    samples = find_samples(write_dataset(tmp_path), "test")
    timid = predictor(lambda image: image.truth * np.float32(0.3))
    (line,) = shifts.measure("m", timid, samples, ["none"]).lines
    assert (line.auc, line.dice, line.best_dice) == (1.0, 0.0, 1.0)
    assert line.best_threshold <= 0.3 + 1e-4


def test_calibration_error_of_known_histograms(shifts):
    def histogram(level, vessels, background):
        counts = np.zeros((2, LEVELS + 1), np.int64)
        counts[:, level] = vessels, background
        return Histogram(*counts)

    assert shifts.calibration_error(histogram(LEVELS * 3 // 10, 30, 70)) == pytest.approx(0.0, abs=1e-4)
    assert shifts.calibration_error(histogram(LEVELS * 3 // 10, 80, 20)) == pytest.approx(0.5, abs=1e-4)
    both = Histogram.pooled([histogram(0, 0, 50), histogram(LEVELS, 25, 25)])
    assert shifts.calibration_error(both) == pytest.approx(0.25, abs=1e-4)


def test_the_command(shifts, tmp_path, monkeypatch, capsys):
    from small_checkpoint import small_generator, write_checkpoint

    data = write_dataset(tmp_path / "data")
    model = write_checkpoint(tmp_path / "small.pt", small_generator())
    words = [
        "shifts.py",
        str(model),
        str(model),
        "--data",
        str(data),
        "--shifts",
        "none",
        "blue cast",
        "--threads",
        "1",
    ]
    monkeypatch.setattr("sys.argv", [*words, "--json", str(tmp_path / "out.json")])
    shifts.main()
    printed = capsys.readouterr().out
    assert "| blue cast |" in printed
    assert printed.splitlines()[-1].count("+0.0000 [+0.0000 to +0.0000]") == 4, "the same model twice"
    assert [line["shift"] for line in json.loads((tmp_path / "out.json").read_text())] == [
        "none",
        "blue cast",
    ] * 2
    monkeypatch.setattr("sys.argv", ["shifts.py", "no-such-model", "--data", str(data)])
    with pytest.raises(SystemExit, match='"no-such-model" is neither a model file nor a bundled model'):
        shifts.main()
    monkeypatch.setattr("sys.argv", [*words[:-1], "0"])
    with pytest.raises(SystemExit, match="0"):
        shifts.main()
    monkeypatch.setattr("sys.argv", [*words, "--json", str(tmp_path / "gone" / "out.json")])
    with pytest.raises(SystemExit) as caught:
        shifts.main()
    assert caught.value.code == 2
    assert "there is no folder" in capsys.readouterr().err
