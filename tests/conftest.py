import gc
import os
import signal
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Have the file that takes longest begin first: no core then waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_bundled_scores.py")


def pytest_collection_finish():
    """Spare the garbage collector what was imported for all tests, which is a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def drive() -> Path:
    """Return the folder of DRIVE, which may not be redistributed and is not in this repository."""
    return _dataset("DRIVE")


@pytest.fixture(scope="session")
def chase_db1() -> Path:
    """Return the folder of CHASE_DB1."""
    return _dataset("CHASE_DB1")


@pytest.fixture(scope="session")
def hrf() -> Path:
    """Return the folder of HRF."""
    return _dataset("HRF")


def _dataset(name: str) -> Path:
    folder = os.environ.get(f"RETINAGAN_{name}")
    if not folder:
        pytest.skip(f"RETINAGAN_{name} does not name a folder with the {name} dataset")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def signals_work():
    """Have tests and their children react to Ctrl-C and hang-ups, also in the background or under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)  # children start with the default again
