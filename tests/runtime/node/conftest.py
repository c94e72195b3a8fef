import gc
import socket
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Let pynetdicom leave sockets to the garbage collector: it closes none that the other side closed."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(autouse=True)
def sockets_are_closed():
    """Close them while the test's filter of warnings holds; the threads that wait for them end."""
    yield
    for thing in gc.get_objects():
        if issubclass(type(thing), socket.socket) and thing.fileno() >= 0 and thing.family == socket.AF_INET:
            thing.close()
    gc.collect()
