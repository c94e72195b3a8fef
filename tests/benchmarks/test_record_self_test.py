import json
from pathlib import Path

import numpy as np

from retinagan.runtime.doctor.self_test import PICTURE, PROBABILITY, RECORD
from retinagan.runtime.images.reading import read_image

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def test_it_records_again_what_is_there(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import record_self_test

    for path in (PICTURE, PROBABILITY, RECORD):
        monkeypatch.setattr(record_self_test, _name(record_self_test, path), tmp_path / path.name)
    record_self_test.main([])
    for path in (PICTURE, PROBABILITY):
        difference = read_image(tmp_path / path.name).pixels.astype(float) - read_image(path).pixels
        assert np.abs(difference).mean() < 1  # other versions of the libraries round differently
    recorded, again = (json.loads(path.read_text()) for path in (RECORD, tmp_path / RECORD.name))
    assert recorded | {"engine": ""} == again | {"engine": ""}


def _name(module, path: Path) -> str:
    return next(name for name, value in vars(module).items() if value is path)
