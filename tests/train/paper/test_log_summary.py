import math

import pytest

from retinagan.train.paper.log_summary import summarize_log

HEAD = "iteration,stage,loss,pixel,adversarial,discriminator,d_expert,d_generated\n"


def write(path, count):
    lines = [f"{k},adversarial,1,{k / 10},,1.4,0.5,0.25\n" for k in range(count)]
    path.write_text(HEAD + "".join(lines))
    return path


def test_the_first_and_the_last_tenth_are_averaged(tmp_path):
    first, last = summarize_log(write(tmp_path / "log.csv", 20))
    assert (first.first, first.last, last.first, last.last) == (0, 2, 18, 20)
    assert first.means["pixel"] == pytest.approx(0.05)
    assert last.means["pixel"] == pytest.approx(1.85)
    assert last.means["d_generated"] == pytest.approx(0.25)
    assert math.isnan(last.means["adversarial"])


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (2, 2)])
def test_a_short_log_has_fewer_parts(tmp_path, count, parts):
    assert len(summarize_log(write(tmp_path / "log.csv", count))) == parts


def test_another_table_is_explained(tmp_path):
    (tmp_path / "log.csv").write_text("iteration,stage,pixel,adversarial,discriminator\n0,patches,1,,\n")
    with pytest.raises(
        ValueError, match=r"log\.csv: not the log of a training; missing columns: d_expert, d_generated"
    ):
        summarize_log(tmp_path / "log.csv")


def test_what_is_no_number_is_explained(tmp_path):
    (tmp_path / "log.csv").write_text(HEAD + "0,patches,1,abc,,,,\n")
    with pytest.raises(ValueError, match=r"log\.csv: expected numbers, but .*'abc'"):
        summarize_log(tmp_path / "log.csv")


def test_a_half_written_last_line_is_left_out(tmp_path):
    (tmp_path / "log.csv").write_text(HEAD + "0,patches,1,0.5,,,,\n1,patc")
    assert [(part.stage, part.last) for part in summarize_log(tmp_path / "log.csv")] == [("patches", 1)]


def test_what_is_no_text_is_explained(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\x80\x81")
    with pytest.raises(ValueError, match=r"log\.csv: expected the log\.csv of a training, but "):
        summarize_log(tmp_path / "log.csv")


def test_each_stage_has_its_own_parts(tmp_path):
    lines = [f"{k},{'patches' if k < 20 else 'adversarial'},1,{k},,,,\n" for k in range(10, 40)]
    (tmp_path / "log.csv").write_text(HEAD + "".join(lines))
    parts = summarize_log(tmp_path / "log.csv")
    assert [(part.stage, part.first, part.last) for part in parts] == [
        ("patches", 10, 11),
        ("patches", 19, 20),
        ("adversarial", 20, 22),
        ("adversarial", 38, 40),
    ]
    assert parts[3].means["pixel"] == pytest.approx(38.5)


def test_without_a_log_there_is_none(tmp_path):
    assert summarize_log(tmp_path / "log.csv") == []
