import csv
import os

import pytest

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.page.names import FILE_NAME, Names, is_digits, plain_digits

STRANGE = ["=1+1.png", 'a "quoted", name\n.png', os.fsdecode(b"\xff.png"), "-x.png"]


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path) as folder:
        yield folder


def test_names_that_are_shown_need_no_file(folder):
    names = Names(folder)
    names.add(["a.png"])
    assert names.digits_of("a.png") == plain_digits("a.png")
    assert is_digits(plain_digits("a.png"))
    assert names.all_digits_of("a.png") == [plain_digits("a.png")]
    assert not (folder.path / FILE_NAME).exists()


def test_hidden_names_cannot_be_found_by_trying(folder):
    names = Names(folder, "hash")
    names.add(["a.png", "b.png"])
    digits = {name: names.digits_of(name) for name in ("a.png", "b.png")}
    assert all(map(is_digits, digits.values()))
    assert len({*digits.values(), *map(plain_digits, digits)}) == 4
    with (folder.path / FILE_NAME).open(newline="", encoding="utf-8") as file:
        assert {row["path"]: row["name"] for row in csv.DictReader(file)} == digits


def test_hidden_names_stay_the_same(folder):
    first = Names(folder, "hash")
    first.add(["a.png", *STRANGE])
    written = (folder.path / FILE_NAME).stat().st_mtime_ns
    second = Names(folder, "hash")
    second.add(["a.png", *STRANGE])
    assert (folder.path / FILE_NAME).stat().st_mtime_ns == written
    second.add(["a.png", "new.png"])
    for name in ["a.png", *STRANGE]:
        assert second.digits_of(name) == first.digits_of(name)
    assert Names(folder, "hash").digits_of("new.png") == second.digits_of("new.png")
    assert Names(folder).all_digits_of("a.png") == [plain_digits("a.png"), first.digits_of("a.png")]


def test_another_folder_has_other_digits(tmp_path):
    found = []
    for name in ("one", "two"):
        with OutputFolder(tmp_path / name) as folder:
            names = Names(folder, "hash")
            names.add(["a.png"])
            found.append(names.digits_of("a.png"))
    assert found[0] != found[1]


def test_a_file_of_another_program_is_kept(folder, tmp_path):
    (folder.path / FILE_NAME).write_text("mine\n")
    Names(folder)
    with pytest.raises(
        OutputError, match=r"report-names\.csv' is not from retina-run; move it away, choose ano"
    ):
        Names(folder, "hash")
    assert (folder.path / FILE_NAME).read_text() == "mine\n"
    folder.overwrite = True
    names = Names(folder, "hash")
    names.add(["a.png"])
    assert is_digits(names.digits_of("a.png"))


def test_rows_that_hold_no_digits_are_passed_over(folder):
    (folder.path / FILE_NAME).write_text("name,path\n../../x,a.png\n0123456789abcdef,b.png\nshort\n")
    names = Names(folder, "hash")
    names.add(["a.png", "b.png"])
    assert names.digits_of("b.png") == "0123456789abcdef"
    assert is_digits(names.digits_of("a.png"))


def test_a_file_that_cannot_be_read_is_an_error(folder):
    (folder.path / FILE_NAME).mkdir()
    with pytest.raises(
        OutputError, match=r"cannot read .*report-names\.csv' \(Is a directory\); move it away"
    ):
        Names(folder, "hash")


def test_a_file_that_cannot_be_written_is_an_error(folder, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "replace", full)
    with pytest.raises(
        OutputError, match=r"cannot write .*report-names\.csv' \(No space left on device\); choose"
    ):
        Names(folder, "hash").add(["a.png"])
