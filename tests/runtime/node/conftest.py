import gc
import threading
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Let pynetdicom leave sockets to the garbage collector: it closes none that the other side closed."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(autouse=True)
def sockets_are_collected():
    """Collect them while the test's filter of warnings holds, once the threads that hold them have ended."""
    yield
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("pynetdicom"):
            thread.join(10)
    gc.collect()
