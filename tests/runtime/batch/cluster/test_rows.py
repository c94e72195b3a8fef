import pytest

from retinagan.runtime.batch.cluster.rows import FAULT, encoded_rows, part_name, rows_of, travelling
from retinagan.runtime.batch.row import COLUMNS
from retinagan.runtime.batch.shard import reports_of

ROW = tuple(f"{column} é" for column in COLUMNS)


def test_rows_come_back_from_a_file():
    assert list(rows_of(encoded_rows([ROW, ROW]))) == [ROW, ROW]
    assert list(rows_of(encoded_rows([]))) == []
    (found,) = rows_of(encoded_rows([("\udcff", *ROW[1:])]))
    assert found == ("?", *ROW[1:])


def test_what_is_no_file_of_rows_is_told():
    with pytest.raises(ValueError, match=r"magic bytes|Parquet"):
        list(rows_of(b"no parquet file"))
    with pytest.raises(ValueError, match="other columns"):
        list(rows_of(encoded_rows([ROW]), COLUMNS[1:]))


def test_a_fault_travels_behind_the_rows():
    assert travelling([ROW])[FAULT].to_pylist() == [""]
    assert travelling([ROW], "the disk is full")[FAULT].to_pylist() == ["", "the disk is full"]
    assert travelling([], "the disk is full").num_rows == 1


def test_the_files_belong_to_the_report():
    name = part_name("0123456789ab", 7)
    assert name == "rows/run.part-0123456789ab-000007.parquet"
    assert reports_of("run.csv", [name, "rows/other.parquet"]) == [name]
