"""`retina-run` as a process of its own: how it starts, and how it is stopped."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slow_retina_run
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import write_tiny_model

from retinagan.runtime import __version__
from retinagan.runtime.batch.cli import main

IMAGES = 15


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with many images in it."""
    image, _ = drawn_retina(90, 100)
    (tmp_path / "in").mkdir()
    for number in range(IMAGES):
        Image.fromarray(image).save(tmp_path / "in" / f"{number:02}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows() -> list[dict[str, str]]:
    with Path("out/run.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def started(*arguments: str) -> subprocess.Popen:
    """Start a slow run, and return when it has done a few images."""
    command = [sys.executable, slow_retina_run.__file__, "in", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_rows(3, process)
    return process


def wait_for_rows(number: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not (Path("out/run.csv").exists() and len(rows()) >= number):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def quick(monkeypatch) -> None:
    slow_retina_run.run_by(slow_retina_run.segment_at_once, monkeypatch.setattr)


def check_the_next_run_goes_on(model: str, before: list[dict[str, str]]) -> None:
    assert 3 <= len(before) < IMAGES
    assert all(row["status"] == "done" for row in before)
    assert all(Path("out", f"{row['output']}_vessels.png").exists() for row in before)
    assert main(["in", "--model", model, "--quiet"]) == 0
    after = rows()
    assert [row["path"] for row in after] == [f"{number:02}.png" for number in range(IMAGES)]
    assert after[: len(before)] == before
    vessels = [f"{number:02}_vessels.png" for number in range(IMAGES)]
    assert sorted(path.name for path in Path("out").iterdir()) == [*vessels, "run.csv"]


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_it_and_the_next_run_goes_on(here, model, quick, sent, code):
    process = started("--model", model)
    process.send_signal(sent)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert err == ""
    found = rows()
    assert out.startswith(
        f"{IMAGES} images: {len(found)} done, {IMAGES - len(found)} not reached; run the same"
    )
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]
    check_the_next_run_goes_on(model, found)


def test_a_run_that_is_stopped_leaves_a_report_of_what_is_done(here, model):
    process = started("--model", model, "--report")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    text = Path("out/report.html").read_text(encoding="utf-8")
    images = json.loads(text.partition('id="data">')[2].partition("</script>")[0])["images"]
    assert images["name"] == sorted(row["path"] for row in rows())
    assert 3 <= len(images["name"]) < IMAGES
    assert set(images["pictures"]) == {2}


def test_after_a_kill_the_next_run_goes_on(here, model, quick):
    process = started("--model", model)
    process.kill()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    with Path("out/run.csv").open("ab") as report:
        report.write(b'"07.png",done,"half a ro')
    found = [row for row in rows() if row["settings"]]
    check_the_next_run_goes_on(model, found)


WATCH = ("--watch", "--settle", "0.1")


def arrive(name: str) -> None:
    """Have an image appear in the watched folder, as programs do that write under another name first."""
    image, _ = drawn_retina(90, 100)
    Image.fromarray(image).save(f"in/{name}.part", format="png")
    Path(f"in/{name}.part").rename(f"in/{name}")


def test_a_watched_folder_is_segmented_until_a_signal(here, model):
    process = started("--model", model, *WATCH)
    arrive("late.png")
    wait_for_rows(IMAGES + 1, process)
    arrive("later.png")
    wait_for_rows(IMAGES + 2, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "")
    images = [f"{number:02}.png" for number in range(IMAGES)]
    first, *lines, last = err.splitlines()
    assert first == "retina-run: watching in; Ctrl-C or SIGTERM ends it"
    assert sorted(lines) == [f"{name}: done" for name in (*images, "late.png", "later.png")]
    assert last == f"{IMAGES + 2} images: {IMAGES + 2} done"
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_after_a_kill_the_next_watch_goes_on(here, model):
    process = started("--model", model, *WATCH)
    process.kill()
    process.communicate(timeout=120)
    before = rows()
    assert 3 <= len(before) < IMAGES
    process = started("--model", model, *WATCH)
    wait_for_rows(IMAGES, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert err.splitlines()[-1] == f"{IMAGES - len(before)} images: {IMAGES - len(before)} done"
    assert rows()[: len(before)] == before
    assert [row["path"] for row in rows()] == [f"{number:02}.png" for number in range(IMAGES)]


def test_two_runs_do_not_share_a_folder(here, model, capsys):
    process = started("--model", model)
    try:
        assert main(["in", "--model", model]) == 2
        assert capsys.readouterr().err == (
            "retina-run: another retina-run or retina-node is writing to 'out'; wait for it, "
            "or choose another --out\n"
        )
    finally:
        process.kill()
        process.communicate()


def test_readers_that_have_gone_away_do_not_stop_it(here, model):
    (here / "in" / "bad.png").touch()
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [
        sys.executable,
        "-m",
        "retinagan.runtime.batch.cli",
        "in/00.png",
        "in/bad.png",
        "--model",
        model,
    ]
    process = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert process.returncode == 1
    assert f"bad.png: {rows()[-1]['message']}" in process.stderr.splitlines()
    assert "Error" not in process.stderr
    assert [row["status"] for row in rows()] == ["done", "failed"]


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_answer_without_opencv_or_an_engine(option):
    code = (
        "import sys; from retinagan.runtime.batch.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'cv2', 'onnxruntime', 'torch', 'PIL', 'tqdm', 'numpy'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, option], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith(f"retina-run {__version__}" if option == "--version" else "usage: ")


def test_help_into_a_closed_pipe():
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "retinagan.runtime.batch.cli", "--help"]
    process = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert process.stderr == ""
