import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn_retina import drawn_retina

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def damage(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.delitem(sys.modules, "damage", raising=False)
    import damage

    return damage


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return drawn_retina(180, 220)[0]


def test_every_kind_of_file_is_read_while_it_is_sound(damage, picture, tmp_path):
    kinds = dict(damage.stored(picture))
    assert len(kinds) in (16, 17)  # HEIC where pillow-heif is installed
    for name, data in kinds.items():
        assert damage.read(data, tmp_path / "file") is not None, name


def test_each_trial_has_one_outcome(damage, picture, tmp_path):
    kinds = dict(damage.stored(picture))
    random = np.random.default_rng(0)
    found = damage.outcomes(kinds["PNG"], tmp_path / "file", "zeros", random)
    assert found == Counter(found=damage.TRIALS)
    assert damage.outcomes(kinds["WebP, lossy"], tmp_path / "file", "zeros", random).total() == damage.TRIALS


def test_damage_that_is_read_counts_as_missed(damage, picture, tmp_path, monkeypatch):
    reads = iter([picture, *[np.roll(picture, 20, axis=1)] * damage.TRIALS])
    monkeypatch.setattr(damage, "read", lambda data, path: next(reads))
    data = bytes(10 * damage.LENGTH)
    counts = damage.outcomes(data, tmp_path / "file", "random", np.random.default_rng(0))
    assert counts == Counter(missed=damage.TRIALS)
