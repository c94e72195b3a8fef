import csv
import io

import pytest

from retinagan.train.journal import PATIENCE, Journal


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


@pytest.mark.parametrize(
    ("expert", "generated", "warning"),
    [
        (0.999, 0.001, "the discriminator wins outright (D(x) 0.999, D(G(z)) 0.001 over 200 iterations)"),
        (0.501, 0.499, "the discriminator learns nothing (D(x) 0.501, D(G(z)) 0.499 over 200 iterations)"),
        (0.7, 0.3, ""),
    ],
)
def test_a_useless_discriminator_is_reported_once(tmp_path, expert, generated, warning):
    stream = io.StringIO()
    journal = Journal(tmp_path, 10_000, 0, stream, seconds=1e9)
    for _ in range(2 * PATIENCE):
        journal.add("adversarial", {"loss": 0.1, "d_expert": expert, "d_generated": generated})
    journal.close()
    assert stream.getvalue().count("warning") == bool(warning)
    assert warning in stream.getvalue()


def test_a_short_quarrel_is_no_reason_to_warn(tmp_path):
    stream = io.StringIO()
    journal = Journal(tmp_path, 10_000, 0, stream, seconds=1e9)
    for _ in range(PATIENCE - 1):
        journal.add("adversarial", {"loss": 0.1, "d_expert": 1.0, "d_generated": 0.0})
    journal.close()
    assert stream.getvalue() == ""
