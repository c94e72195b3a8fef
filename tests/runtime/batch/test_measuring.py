import csv
import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from vessel_drawings import draw, line

from retinagan.runtime import ImageError, OptionError
from retinagan.runtime.batch.measuring import (
    MeasuresTable,
    OldMeasures,
    measured,
    require_measuring,
    segments_table,
)
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.row import DONE, FAILED, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.images.photograph import Photograph

SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")
STAMP = Stamp("1000", "1700000000.000000001", SETTINGS.model_sha256, SETTINGS.digest)
ROW = Row("=a.png", DONE, "", "a", STAMP, finished="2026-01-01T00:00:00.000000Z")
VALUES = {"arc_over_chord": 1.123456789, "junctions": 7, "length_pixels": 1234.5}
PHOTOGRAPH = Photograph(np.zeros((200, 200, 3), np.uint8), 8)


def rows(folder) -> list[dict[str, str]]:
    with (folder / "measures.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(folder, *some, shard=None):
    with OutputFolder(folder, shard=shard) as out, MeasuresTable(out) as table:
        for row in some:
            table.append(row)


def test_a_row_for_each_image_with_its_last_values(tmp_path):
    write(tmp_path, replace(ROW, measures={"junctions": 1}), replace(ROW, measures=VALUES))
    (row,) = rows(tmp_path)
    assert (row["path"], row["arc_over_chord"], row["junctions"]) == ("./=a.png", "1.12346", "7")
    assert row["length_degrees"] == ""


def test_an_image_that_failed_has_a_row_without_values(tmp_path):
    write(tmp_path, replace(ROW, measures=VALUES), replace(ROW, status=FAILED))
    (row,) = rows(tmp_path)
    assert row["path"] == "./=a.png"
    assert not any(row[column] for column in VALUES)


def test_a_row_is_known_again_by_its_stamp(tmp_path):
    write(tmp_path, replace(ROW, measures=VALUES))
    with OutputFolder(tmp_path) as out, MeasuresTable(out) as table:
        assert table.has("=a.png", STAMP)
        assert not table.has("=a.png", STAMP._replace(size="999"))
        assert not table.has("b.png", STAMP)
        ((name, line),) = table.lines()
        values = table.values(line)
    assert (name, values["junctions"], values["arc_over_chord"]) == ("=a.png", 7, 1.12346)
    assert isinstance(values["junctions"], int)
    assert values["length_degrees"] is None


def test_every_measure_or_the_default_ones_but_not_both(tmp_path):
    write(tmp_path, ROW)
    with OutputFolder(tmp_path) as out:
        with pytest.raises(OutputError, match=r"measures\.csv' was written without --every-measure; give it"):
            MeasuresTable(out, every_measure=True).__enter__()
        with MeasuresTable(out, every_measure=True, fresh=True) as table:
            table.append(replace(ROW, measures={"area_density": 0.123456789}))
        assert rows(tmp_path)[0]["area_density"] == "0.123457"
        with pytest.raises(OutputError, match=r"measures\.csv' was written with --every-measure"):
            MeasuresTable(out).__enter__()
        with OldMeasures(out) as old:
            old.append(ROW)
        assert rows(tmp_path)[0]["area_density"] == ""


def test_a_run_that_measures_nothing_takes_out_what_it_does_again(tmp_path):
    write(tmp_path, replace(ROW, measures=VALUES), replace(ROW, path="b.png", measures=VALUES))
    with OutputFolder(tmp_path) as out, OldMeasures(out) as old:
        old.append(ROW)
        old.append(replace(ROW, path="new.png"))
    found = {row["path"]: row["junctions"] for row in rows(tmp_path)}
    assert found == {"./=a.png": "", "b.png": "7"}


@pytest.mark.parametrize("content", [None, b"", b"patient,age\nA,71\n"])
def test_a_run_that_measures_nothing_leaves_other_files_alone(tmp_path, content):
    if content is not None:
        (tmp_path / "measures.csv").write_bytes(content)
    with OutputFolder(tmp_path) as out, OldMeasures(out) as old:
        old.append(ROW)
    if content is None:
        assert not (tmp_path / "measures.csv").exists()
    else:
        assert (tmp_path / "measures.csv").read_bytes() == content


def test_a_table_of_another_program_is_not_replaced(tmp_path):
    (tmp_path / "measures.csv").write_text("patient,age\nA,71\n")
    with pytest.raises(OutputError, match=r"does not have the columns .*--overwrite"):
        write(tmp_path, ROW)
    assert (tmp_path / "measures.csv").read_text() == "patient,age\nA,71\n"
    with OutputFolder(tmp_path) as out, MeasuresTable(out, fresh=True) as table:
        table.append(ROW)
    assert len(rows(tmp_path)) == 1


def test_shards_come_together(tmp_path):
    write(tmp_path, replace(ROW, measures=VALUES), shard=Shard(1, 2))
    write(tmp_path, replace(ROW, path="b.png", measures=VALUES), shard=Shard(2, 2))
    assert not (tmp_path / "measures.csv").exists()
    with OutputFolder(tmp_path) as out, OldMeasures(out):
        pass
    assert sorted(row["path"] for row in rows(tmp_path)) == ["./=a.png", "b.png"]
    assert not (tmp_path / "rows").exists()


def test_without_scikit_image_the_option_and_the_command_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    with pytest.raises(OptionError, match=r'--measure: .*pip install "retinagan\[measure\]"'):
        require_measuring("--measure")


class TestMeasured:
    @pytest.fixture(autouse=True)
    def needs_scikit_image(self):
        pytest.importorskip("skimage")

    drawn = draw([line((-0.3, -0.2), (0.3, 0.1), 0.03)], 200)

    def test_no_unit_is_guessed(self):
        found = measured(PHOTOGRAPH, replace(self.drawn, field_of_view=45.0), SETTINGS)
        assert found["length_degrees"] is None
        assert found["length_millimetres"] is None

    def test_what_the_file_declares_is_used(self):
        photograph = replace(PHOTOGRAPH, field_of_view=45.0, pixel_spacing=(0.05, 0.05))
        found = measured(photograph, self.drawn, SETTINGS)
        assert found["length_degrees"] == pytest.approx(found["length_pixels"] * 45 / 192)
        assert found["length_millimetres"] == pytest.approx(found["length_pixels"] * 0.05)

    def test_what_the_user_says_comes_first(self):
        photograph = replace(PHOTOGRAPH, field_of_view=45.0)
        found = measured(photograph, self.drawn, replace(SETTINGS, field_of_view=90.0))
        assert found["length_degrees"] == pytest.approx(found["length_pixels"] * 90 / 192)

    def test_a_spacing_of_pixels_that_are_not_square_is_not_used(self):
        found = measured(replace(PHOTOGRAPH, pixel_spacing=(0.05, 0.06)), self.drawn, SETTINGS)
        assert found["length_millimetres"] is None

    def test_segments_are_a_table(self):
        found = measured(replace(PHOTOGRAPH, field_of_view=45.0), self.drawn, SETTINGS)
        (row,) = csv.DictReader(io.StringIO(segments_table(found).decode()))
        assert (row["segment"], row["start_at"], row["end_at"]) == ("1", "end", "end")
        assert float(row["calibre_pixels"]) == pytest.approx(0.03 * 192, rel=0.1)
        assert float(row["length_degrees"]) == pytest.approx(found["length_degrees"], rel=1e-5)
        assert row["length_millimetres"] == ""

    def test_no_vessels_make_a_table_without_rows(self):
        found = measured(PHOTOGRAPH, draw([], 100), SETTINGS)
        assert len(segments_table(found).splitlines()) == 1


def test_maps_of_different_shapes_are_refused():
    pytest.importorskip("skimage")
    drawn = draw([], 100)
    with pytest.raises(ImageError):
        measured(PHOTOGRAPH, replace(drawn, vessels=drawn.vessels[:50]), SETTINGS)
