import csv
import io

from retinagan.train.loop.journal import Journal
from retinagan.train.loop.watch import PATIENCE


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_iteration_has_a_row(tmp_path):
    journal = Journal(tmp_path, 2, 0, io.StringIO())
    journal.add("patches", {"loss": 0.5, "pixel": 0.5})
    journal.add("adversarial", {"loss": 0.25, "pixel": 0.2, "d_expert": 0.9, "d_generated": 0.1})
    journal.close()
    first, second = rows(tmp_path)
    assert (first["iteration"], first["stage"], first["pixel"], first["d_expert"]) == (
        "0",
        "patches",
        "0.5",
        "",
    )
    assert (second["iteration"], second["d_generated"]) == ("1", "0.1")


def test_a_resumed_log_drops_what_came_after_the_checkpoint(tmp_path):
    journal = Journal(tmp_path, 9, 0, io.StringIO())
    for value in range(5):
        journal.add("patches", {"loss": float(value)})
    journal.close()
    journal = Journal(tmp_path, 9, 3, io.StringIO())
    journal.add("patches", {"loss": 7.0})
    journal.close()
    assert [(row["iteration"], row["loss"]) for row in rows(tmp_path)] == [
        ("0", "0"),
        ("1", "1"),
        ("2", "2"),
        ("3", "7"),
    ]


def test_scores_of_held_out_images_have_a_file_of_their_own(tmp_path):
    scores = {"auc": 0.97, "dice": 0.8, "threshold": 0.45, "pixel": 0.15}
    stream = io.StringIO()
    for done, first in ((0, 0.97), (1, 0.98)):  # the second goes on after a checkpoint at 1
        journal = Journal(tmp_path, 9, done, stream)
        for auc in (first, 0.9):
            journal.add("patches", {"loss": 0.5})
            journal.add_validation({**scores, "auc": auc})
        journal.close()
    assert (tmp_path / "validation.csv").read_text().splitlines() == [
        "iteration,auc,dice,threshold,pixel",
        "1,0.97,0.8,0.45,0.15",
        "2,0.98,0.8,0.45,0.15",
        "3,0.9,0.8,0.45,0.15",
    ]
    first = stream.getvalue().splitlines()[0]
    assert first == "validation 1/9  inside the FOV: AUC 0.9700, Dice 0.8000 at 0.450; pixel 0.1500"


def test_without_held_out_images_their_file_is_not_there(tmp_path):
    journal = Journal(tmp_path, 2, 0, io.StringIO())
    journal.add("patches", {"loss": 0.5})
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_line_names_losses_rate_and_time_left(tmp_path):
    stream = io.StringIO()
    journal = Journal(tmp_path, 10, 0, stream, seconds=0.0)
    journal.add("patches", {"loss": 0.5, "pixel": 0.25})
    journal.close()
    line = stream.getvalue()
    assert line.startswith("patches 1/10  pixel 0.2500  ")
    assert "iterations/s" in line
    assert line.endswith("min left\n")


def test_lines_are_rare_but_the_last_is_printed(tmp_path):
    stream = io.StringIO()
    journal = Journal(tmp_path, 5, 0, stream, seconds=1e9)
    for _ in range(5):
        journal.add("patches", {"loss": 0.5, "pixel": 0.5})
    journal.close()
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["5/5"]


def test_a_log_of_fewer_columns_is_gone_on_with(tmp_path):
    (tmp_path / "log.csv").write_text("iteration,stage,loss\n0,patches,0.5\n1,patches,0.4\n")
    journal = Journal(tmp_path, 3, 1, io.StringIO())
    journal.add("patches", {"loss": 0.3, "vessels": 0.1})
    journal.close()
    assert [(row["loss"], row["vessels"]) for row in rows(tmp_path)] == [("0.5", ""), ("0.3", "0.1")]


def test_trouble_is_said_among_the_lines(tmp_path):
    stream = io.StringIO()
    journal = Journal(tmp_path, 10_000, 0, stream, seconds=1e9)
    for _ in range(PATIENCE):
        journal.add("adversarial", {"loss": 0.1, "d_expert": 0.999, "d_generated": 0.001})
    journal.close()
    assert stream.getvalue().startswith("warning: the discriminator wins outright")
