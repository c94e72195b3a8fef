import threading

import pytest

from retinagan.runtime.batch import fetching
from retinagan.runtime.batch.fetching import Fetching, fetch
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.errors import ImageError
from retinagan.runtime.storage.store import Store

NAMES = [f"{number:02}.png" for number in range(20)]
OBJECTS = [Input(f"memory://clinic/{name}", name, listed=("10", "1")) for name in NAMES]
FILES = [Input(f"{number}.png", f"{number}.png") for number in range(3)]


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The objects that were read."""
    done: list[str] = []

    def read(self, url, start=None, end=None):
        done.append(url)
        return url.encode()

    monkeypatch.setattr(Store, "read", read)
    return done


def same(item: Input) -> Input:
    return item


def test_objects_come_in_order_with_their_content(read):
    found = [(item, content.result()) for item, content in Fetching(OBJECTS, same)]
    assert found == [(item, item.path.encode()) for item in OBJECTS]
    assert sorted(read) == [item.path for item in OBJECTS]


def test_what_waits_for_a_thread_at_the_end_is_still_read(read, monkeypatch):
    go_on = threading.Event()
    slow = Store.read

    def wait_and_read(self, url, start=None, end=None):
        go_on.wait()
        return slow(self, url)

    monkeypatch.setattr(Store, "read", wait_and_read)
    found = [content for _, content in Fetching(OBJECTS, same)]
    go_on.set()
    assert [content.result() for content in found] == [item.path.encode() for item in OBJECTS]


def test_files_of_this_machine_are_drawn_at_their_turn_and_not_read(read):
    drawn = []

    def jobs():
        for item in FILES:
            drawn.append(item.name)
            yield item

    for number, (item, content) in enumerate(Fetching(jobs(), same), start=1):
        assert (item.name, content) == (drawn[-1], None)
        assert len(drawn) == number
    assert read == []


def test_a_few_objects_are_read_ahead(read):
    drawn = []

    def jobs():
        for item in OBJECTS:
            drawn.append(item)
            yield item

    fetched = iter(Fetching(jobs(), same))
    next(fetched)
    assert len(drawn) == fetching._AHEAD
    next(fetched)
    assert len(drawn) == fetching._AHEAD + 1
    fetched.close()


def test_large_objects_are_not_many_at_once(read):
    drawn = []

    def jobs():
        for item in OBJECTS:
            drawn.append(item)
            yield Input(item.path, item.name, listed=(str(100 << 20), "1"))

    fetched = iter(Fetching(jobs(), same))
    next(fetched)
    assert len(drawn) == 3
    fetched.close()


def test_closing_waits_for_what_is_under_way_and_drops_the_rest(monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def read(self, url, start=None, end=None):
        begun.set()
        assert go_on.wait(60)
        return b""

    monkeypatch.setattr(Store, "read", read)
    fetched = iter(Fetching(OBJECTS, same))
    next(fetched)
    assert begun.wait(60)
    go_on.set()
    fetched.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("retina-run-fetch")]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (FileNotFoundError(2, "gone"), "no such object in the store any more"),
        (
            PermissionError(13, "Access Denied"),
            r"no permission to read the object \(Access Denied\); check",
        ),
        (
            OSError(5, "Connection reset"),
            r"the object cannot be read \(Connection reset\); run the same",
        ),
    ],
)
def test_an_object_that_cannot_be_read(monkeypatch, raised, message):
    def read(self, url, start=None, end=None):
        raise raised

    monkeypatch.setattr(Store, "read", read)
    with pytest.raises(ImageError, match=message):
        fetch(OBJECTS[0])


def test_an_object_that_is_larger_than_any_image_is_not_read(read):
    with pytest.raises(ImageError, match="the file is larger than 826 MiB"):
        fetch(Input("memory://clinic/a.png", "a.png", listed=(str(1 << 40), "1")))
    assert read == []
