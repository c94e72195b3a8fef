import os
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def drive() -> Path:
    """Return the folder of DRIVE, which may not be redistributed and is not in this repository."""
    folder = os.environ.get("RETINAGAN_DRIVE")
    if not folder:
        pytest.skip("RETINAGAN_DRIVE does not name a folder with the DRIVE dataset")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def signals_work():
    """Have tests and their children react to Ctrl-C and hang-ups, also in the background or under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)  # children start with the default again
