"""What a folder of this machine and one in a store have in common."""

import errno

import numpy as np
import pytest
from memory_store import empty_store

from retinagan.runtime.batch.encoding import encode_png, encode_webp
from retinagan.runtime.batch.place import LocalFolder
from retinagan.runtime.batch.store_folder import StoreFolder

PICTURE = encode_png(np.zeros((3, 4), np.uint8))
OVERLAY = encode_webp(np.zeros((16, 16, 3), np.uint8))
HEADER = b"path,settings\n"


@pytest.fixture(params=["local", "store"])
def place(request, tmp_path):
    made = LocalFolder(tmp_path / "out") if request.param == "local" else StoreFolder(f"{empty_store()}/out")
    made.enter()
    yield made
    made.leave()


def content(place, name: str) -> str:
    with place.opened(name) as file:
        return file.read()


def test_a_file_is_there_when_it_is_written(place):
    assert place.size("sub/a.txt") is None
    place.replace("sub/a.txt", [b"12", b"34"])
    assert place.size("sub/a.txt") == 4
    assert content(place, "sub/a.txt") == "1234"
    place.replace("sub/a.txt", iter([b"5"]))
    assert place.size("sub/a.txt") == 1
    assert content(place, "sub/a.txt") == "5"


def test_a_file_whose_writing_fails_stays_as_it_was(place):
    def lines():
        yield b"half"
        raise KeyError("a defect")

    place.replace("a.txt", [b"whole"])
    with pytest.raises(KeyError):
        place.replace("a.txt", lines())
    assert content(place, "a.txt") == "whole"


def test_bytes_that_are_no_text_come_back(place):
    place.replace("a.csv", [b"caf\xe9\r\n"])
    assert content(place, "a.csv").encode(errors="surrogateescape") == b"caf\xe9\r\n"


def test_a_file_that_is_not_there_cannot_be_opened(place):
    with pytest.raises(FileNotFoundError), place.opened("a.csv"):
        pass


@pytest.mark.parametrize(("name", "picture"), [("a_vessels.png", PICTURE), ("a_overlay.webp", OVERLAY)])
def test_own_pictures_are_told_from_foreign_ones(place, name, picture):
    assert not place.is_foreign(name)
    assert not place.is_own(name)
    place.replace(name, [picture])
    assert not place.is_foreign(name)
    assert place.is_own(name)
    place.replace(name, [b"drawn by hand"])
    assert place.is_foreign(name)
    assert not place.is_own(name)
    place.replace(name, [b""])
    assert place.is_foreign(name)


def test_a_file_that_is_removed_is_gone(place):
    place.replace("rows/a.csv", [b"1"])
    place.remove("rows/a.csv")
    place.remove_folder("rows")
    assert place.size("rows/a.csv") is None
    assert place.names("rows") == []


def test_files_of_a_folder_are_listed(place):
    assert place.names("rows") == []
    for name in ("a.csv", "b.csv", "c.csv"):
        place.replace(f"rows/{name}", [b"1"])
    place.replace("d.csv", [b"1"])
    assert sorted(place.names("rows")) == ["rows/a.csv", "rows/b.csv", "rows/c.csv"]


def test_lines_are_in_the_file_and_its_parts(place):
    place.replace("run.csv", [HEADER])
    lines = place.lines("run.csv", HEADER)
    lines.append(b"a.png,1\n")
    lines.append(b"b.png,2\n")
    lines.close()
    found = "".join(content(place, name) for name in ("run.csv", *lines.parts))
    assert found.replace(HEADER.decode(), "") == "a.png,1\nb.png,2\n"


def test_a_place_says_where_a_file_is(place):
    assert str(place.at("sub/a.png")) == f"{place.path}/sub/a.png"


def test_what_costs_all_files_of_a_folder(tmp_path):
    folder = LocalFolder(tmp_path)
    assert folder.is_lost(OSError(errno.ENOSPC, "No space left on device"))
    assert not folder.is_lost(OSError(errno.EACCES, "Permission denied"))
