import pytest

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.page.names import Names, plain_digits
from retinagan.runtime.batch.page.rows import STATUSES, Rows, read_rows
from retinagan.runtime.batch.row import COLUMNS, DONE, FAILED, WARNING

FILLED = {
    "status": DONE,
    "width": "999",
    "height": "960",
    "field_of_view": "45",
    "field_of_view_from": "given",
    "working_size": "912",
    "roi_share": "0.7",
    "vessel_density": "0.123456789",
    "confidence": "0.8",
    "engine": "OpenVINO",
    "model": "retina-gan",
    "model_sha256": "ab" * 32,
    "threshold": "0.446967",
    "overlap": "0",
    "version": "0.1.0",
    "input_bytes": "1000",
    "input_modified": "1.5",
    "settings": "0123456789abcdef",
}


EMPTY = dict.fromkeys(COLUMNS, "")


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path) as folder:
        yield folder


def read(
    folder: OutputFolder, *rows: dict[str, str], kind: str = "file", pictures=lambda digits: True
) -> Rows:
    return read_rows([{**EMPTY, **FILLED, **row} for row in rows], folder.path, Names(folder, kind), pictures)


def test_a_row_tells_what_the_page_shows(folder):
    row = {"path": "sub/a.png", "status": WARNING, "warnings": "negative low-confidence", "message": "doubt"}
    rows = read(folder, row)
    (shown,) = rows.shown
    assert shown._asdict() | {"map": ""} == {
        "name": "sub/a.png",
        "digits": plain_digits("sub/a.png"),
        "status": STATUSES.index(WARNING),
        "warnings": "negative low-confidence",
        "message": "doubt",
        "width": 999,
        "height": 960,
        "working_size": 912,
        "field_of_view": "45",
        "field_of_view_from": "given",
        "threshold": "0.446967",
        "level": 114,
        "map": "",
        "run": 0,
        "pictures": 2,
    }
    assert rows.runs[0]._asdict() == {
        "model": "retina-gan",
        "model_sha256": "ab" * 6,
        "engine": "OpenVINO",
        "overlap": "0",
        "version": "0.1.0",
    }
    assert rows.numbers == {"confidence": [0.8], "vessel_density": [0.123457], "roi_share": [0.7]}


def test_images_are_sorted_by_name_and_the_last_row_of_each_counts(folder):
    first, last = {"path": "b.png", "confidence": "0.1"}, {"path": "b.png", "confidence": "0.2"}
    rows = read(folder, first, {"path": "./-a.png", "threshold": "0.5"}, last)
    assert [shown.name for shown in rows.shown] == ["-a.png", "b.png"]
    assert rows.numbers["confidence"] == [0.8, 0.2]
    assert [shown.threshold for shown in rows.shown] == ["0.5", "0.446967"]


def test_a_failed_image_has_no_numbers_and_no_map(folder):
    empty = dict.fromkeys(("confidence", "roi_share", "vessel_density", "working_size", "field_of_view"), "")
    row = {"path": "a.png", "status": FAILED, "message": "no retina", **empty}
    rows = read(folder, row)
    assert (rows.shown[0].pictures, rows.shown[0].working_size, rows.shown[0].field_of_view) == (1, None, "")
    assert rows.numbers["confidence"] == [None]
    assert read(folder, row, pictures=lambda digits: False).shown[0].pictures == 0


def test_the_version_of_a_map_follows_what_the_map_depends_on(folder):
    found = read(folder, {"path": "a.png"}, {"path": "b.png"}, {"path": "c.png", "settings": "f" * 16})
    first, same, other = (shown.map for shown in found.shown)
    assert first == same != other


def test_hidden_names_leave_nothing_of_the_name(folder):
    secret = [
        {"path": f"{name}.png", "message": f"about {name}", "output": name} for name in ("ann", "bob", "cem")
    ]
    rows = read(folder, *secret, kind="hash")
    text = repr(rows)
    assert not any(name in text for name in ("ann", "bob", "cem"))
    names = Names(folder, "hash")
    assert [shown.name for shown in rows.shown] == [shown.digits for shown in rows.shown]
    assert [shown.name for shown in rows.shown] == sorted(
        map(names.digits_of, ("ann.png", "bob.png", "cem.png"))
    )


def test_measures_of_images_are_joined_by_their_path(folder):
    (folder.path / "measures.csv").write_text(
        "path,calibre_mean,unit,dimension,none,confidence,settings\n"
        "./=a.png,3.25,pixels,nan,,1,0123456789abcdef\n"
        "b.png,1e-9,pixels,1.5,,1,0123456789abcdef\n"
        "gone.png,9,pixels,1.5,,1,0123456789abcdef\n"
    )
    numbers = read(folder, {"path": "b.png"}, {"path": "./=a.png"}, {"path": "c.png"}).numbers
    assert list(numbers) == ["confidence", "vessel_density", "roi_share", "calibre_mean", "dimension"]
    assert numbers["calibre_mean"] == [3.25, 1e-9, None]
    assert numbers["dimension"] == [None, 1.5, None]
    assert numbers["confidence"] == [0.8, 0.8, 0.8]


def test_rows_that_were_cut_off_or_edited_are_passed_over(folder):
    rows = {"path": "a.png"}, {"path": "b.png", "status": "perfect"}
    path = folder.path / "measures.csv"
    for end in (b"b.png,1", b"b.png,1,2,3\n", b"\0" * 9):  # the last by a power cut
        path.write_bytes(b"path,calibre_mean,settings\na.png,3.5,0123456789abcdef\n" + end)
        found = read(folder, *rows)
        assert [shown.name for shown in found.shown] == ["a.png"]
        assert found.numbers["calibre_mean"] == [3.5]


def test_no_run_has_no_images(folder):
    rows = read(folder)
    assert (rows.shown, rows.runs, rows.numbers["confidence"]) == ([], [], [])


def test_a_table_that_cannot_be_read_is_an_error(folder):
    (folder.path / "measures.csv").mkdir()
    with pytest.raises(OutputError, match=r"cannot read '.*measures\.csv' \(Is a directory\)"):
        read(folder)
