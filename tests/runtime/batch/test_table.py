import csv
import io
import os
import sys
from pathlib import Path

import pytest

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.batch.table import DIGEST_LENGTH, Table, path_from_cell, path_to_cell

COLUMNS = ("path", "note", "settings")
DIGEST = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path) as folder:
        yield folder


def table(folder: OutputFolder, **options) -> Table:
    return Table(folder, "table.csv", COLUMNS, **options)


def write(folder: OutputFolder, *rows: tuple[str, str]) -> Path:
    with table(folder) as written:
        for path, note in rows:
            written.append([path, note, DIGEST])
    return written.path


def read(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [(row["path"], row["note"]) for row in csv.DictReader(file)]


def test_the_digest_has_the_length_that_marks_a_whole_row():
    assert len(DIGEST) == DIGEST_LENGTH


def test_a_row_is_in_the_file_as_soon_as_it_is_appended(folder):
    with table(folder) as written:
        assert read(written.path) == []
        written.append(["a.png", "", DIGEST])
        assert read(written.path) == [("a.png", "")]


def test_rows_come_back_by_column(folder):
    write(folder, ("a.png", "1"), ("b.png", 'it said, "no"\n'))
    with table(folder) as again:
        assert list(again.rows()) == [
            {"path": "a.png", "note": "1", "settings": DIGEST},
            {"path": "b.png", "note": 'it said, "no"\n', "settings": DIGEST},
        ]


def test_an_images_last_row_counts_and_the_others_go(folder):
    assert read(write(folder, ("a.png", "1"), ("b.png", "2"), ("a.png", "3"))) == [
        ("b.png", "2"),
        ("a.png", "3"),
    ]
    assert read(write(folder, ("b.png", "4"))) == [("a.png", "3"), ("b.png", "4")]


def test_rows_of_images_of_other_runs_stay(folder):
    write(folder, ("a.png", "1"))
    assert read(write(folder, ("b.png", "2"))) == [("a.png", "1"), ("b.png", "2")]


def test_wherever_a_row_is_cut_short_the_rest_is_kept(folder):
    path = write(folder, ("a.png", ""), ('b\n,".png', 'it said, "no"'))
    whole = path.read_bytes()
    for length in range(whole.index(b'"b'), len(whole) - 1):
        path.write_bytes(whole[:length])
        found = read(write(folder, ("c.png", "")))
        assert found == [("a.png", ""), ("c.png", "")], whole[:length]


def test_a_row_without_the_end_of_its_line_is_whole(folder):
    path = write(folder, ("a.png", ""))
    path.write_bytes(path.read_bytes()[:-1])
    assert read(write(folder, ("b.png", ""))) == [("a.png", ""), ("b.png", "")]


def test_zeros_that_a_power_cut_left_are_no_rows(folder):
    path = write(folder, ("a.png", ""))
    with path.open("ab") as file:
        file.write(bytes(1000))
    assert read(write(folder, ("b.png", ""))) == [("a.png", ""), ("b.png", "")]


def test_a_name_that_is_no_text_keeps_its_bytes(folder):
    path = write(folder, (os.fsdecode(b"caf\xe9.png"), "1"))
    assert b"\ncaf\xe9.png,1" in path.read_bytes()
    assert read(path) == [(os.fsdecode(b"caf\xe9.png"), "1")]


@pytest.mark.parametrize("content", ["path,score\na.png,1\n", "nonsense", "path,note\n"])
def test_another_programs_file_is_not_replaced(folder, content):
    path = folder.path / "table.csv"
    path.write_text(content)
    with pytest.raises(OutputError, match=r"'.*table.csv' does not have the columns .* with --overwrite"):
        table(folder).__enter__()
    assert path.read_text() == content
    with table(folder, fresh=True) as written:
        written.append(["a.png", "", DIGEST])
    assert read(path) == [("a.png", "")]


def test_an_empty_file_is_a_new_one(folder):
    (folder.path / "table.csv").touch()
    assert read(write(folder, ("a.png", ""))) == [("a.png", "")]


def test_a_file_that_cannot_be_written(folder, monkeypatch):
    def full(file, content):
        raise OSError(28, "No space left on device")

    with table(folder) as written:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OutputError, match=r"cannot write '.*table.csv' \(No space left on device\)"):
            written.append(["a.png", "", DIGEST])
    monkeypatch.undo()
    written.path.unlink()
    written.path.mkdir()
    with pytest.raises(OutputError, match=r"cannot write '.*table.csv' \(Is a directory\)"):
        table(folder).__enter__()


def test_a_row_is_written_to_its_end_where_the_system_takes_it_in_pieces(folder, monkeypatch):
    write_some = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write_some(file, content[:7]))
    assert read(write(folder, ("a.png", "1"), ("b.png", "2"))) == [("a.png", "1"), ("b.png", "2")]


@pytest.mark.parametrize("path", ["a.png", "=1.png", "-a/b.png", "@x", "+1", "\tx"])
def test_no_path_is_read_as_a_formula(path):
    cell = path_to_cell(path)
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert path_from_cell(cell) == path


def test_without_a_column_of_times_the_file_that_was_changed_last_counts(tmp_path):
    for number, note in ((1, "old"), (2, "new")):
        with OutputFolder(tmp_path, shard=Shard(number, number)) as folder:
            path = write(folder, ("a.png", note))
        os.utime(path, (number, number))
    with OutputFolder(tmp_path, shard=Shard(3, 3)) as folder, table(folder) as written:
        assert [row["note"] for row in written.rows()] == ["new"]
    with OutputFolder(tmp_path) as folder:
        assert read(write(folder)) == [("a.png", "new")]


def test_tables_of_other_names_stay_where_they_are(tmp_path):
    with OutputFolder(tmp_path, shard=Shard(1, 2)) as folder:
        other = write(folder, ("a.png", "1"))
    with OutputFolder(tmp_path) as folder, Table(folder, "run.csv", COLUMNS) as written:
        assert list(written.rows()) == []
    assert other == tmp_path / "rows" / "table.1-of-2.csv"
    assert read(other) == [("a.png", "1")]


PART = "rows/table.part-0123456789ab-000000.parquet"


def parquet(*rows: tuple[str, str]) -> bytes:
    pytest.importorskip("pyarrow")
    from pyarrow import Table as ArrowTable
    from pyarrow.parquet import write_table

    cells = zip(*[(*row, DIGEST) for row in rows], strict=True)
    content = io.BytesIO()
    write_table(ArrowTable.from_arrays([list(column) for column in cells], names=list(COLUMNS)), content)
    return content.getvalue()


def test_rows_of_workers_are_taken_over(tmp_path):
    with OutputFolder(tmp_path) as folder:
        write(folder, ("a.png", "1"), ("b.png", "1"))
        folder.replace(PART, [parquet(("b.png", "2"), ("c.png", "2"))])
        folder.replace(PART.replace("000000", "000001"), [b"half written, or of another version"])
        assert read(write(folder)) == [("a.png", "1"), ("b.png", "2"), ("c.png", "2")]
    assert not (tmp_path / "rows").exists()


def test_rows_of_workers_need_pyarrow(tmp_path, monkeypatch):
    with OutputFolder(tmp_path) as folder:
        folder.replace(PART, [parquet(("b.png", "2"))])
        monkeypatch.setitem(sys.modules, "retinagan.runtime.batch.cluster.rows", None)
        with pytest.raises(
            OutputError,
            match=r"000000.parquet' has rows of a run with --cluster; pyarrow reads them",
        ):
            write(folder)
    assert (tmp_path / PART).exists()
