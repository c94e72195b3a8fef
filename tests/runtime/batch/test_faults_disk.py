"""A disk that is full and a folder that goes away, for real, under a `retina-run` in a process of its own."""

import csv
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slow_retina_run
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import write_tiny_model

from retinagan.runtime.batch.cli import main

IMAGES = 12
PATIENCE = 120.0
DIGITS = 16  # of the settings' digest, a row's last cell
RUN = [sys.executable, slow_retina_run.__file__, "in"]
IN_A_SMALL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]


@pytest.fixture
def model(tmp_path) -> str:
    return str(write_tiny_model(tmp_path))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with images in it."""
    image, _ = drawn_retina(120, 130)
    (tmp_path / "in").mkdir()
    for number in range(IMAGES):
        Image.fromarray(image).save(tmp_path / "in" / f"{number:02}.png")
    monkeypatch.chdir(tmp_path)
    slow_retina_run.run_by(slow_retina_run.segment_at_once, monkeypatch.setattr)
    return tmp_path


def rows(folder: str = "out") -> list[dict[str, str]]:
    """Give the whole rows; in one that was cut short the last cell is not there or too short."""
    with Path(folder, "run.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if len(row["settings"] or "") == DIGITS]


def check_whole(folder: str, done: list[dict[str, str]]) -> None:
    """Each image that is done has its picture, whole; nothing but pictures and the report is there."""
    for path in Path(folder).glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (130, 120)
    names = {path.name for path in Path(folder).iterdir()}
    assert {f"{row['output']}_vessels.png" for row in done} <= names
    assert all(name == "run.csv" or name.endswith("_vessels.png") for name in names)


def check_the_next_run_goes_on(model: str, folder: str, done: list[dict[str, str]]) -> None:
    assert main(["in", "--model", model, "--out", folder, "--quiet"]) == 0
    after = rows(folder)
    assert [row["path"] for row in after] == [f"{number:02}.png" for number in range(IMAGES)]
    assert after[: len(done)] == done
    check_whole(folder, after)


def test_a_disk_that_is_full(here, model):
    if shutil.which("unshare") is None:
        pytest.skip("no small disk can be mounted here: there is no unshare")
    trial = subprocess.run([*IN_A_SMALL_DISK, "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    if trial.returncode:
        pytest.skip(f"no small disk can be mounted here: {trial.stderr.decode().strip()}")
    Path("out").mkdir()
    size = 7 * resource.getpagesize()  # each file takes whole pages
    script = f'mount -t tmpfs -o size={size} none out; set +e; "$@"; echo $? > code; cp -r out left; true'
    command = [*IN_A_SMALL_DISK, script, "sh", *RUN, "--model", model, "--quiet"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.stdout == ""
    assert process.stderr.count("\n") == 1, process.stderr
    assert process.stderr.startswith("retina-run: cannot write ")
    assert "(No space left on device)" in process.stderr
    assert Path("code").read_text() == "2\n"
    done = rows("left")
    assert 0 < len(done) < IMAGES
    assert all(row["status"] == "done" for row in done)
    check_whole("left", done)
    check_the_next_run_goes_on(model, "left", done)


def test_a_report_that_may_not_grow(here, model):
    """A quota cuts the last row short; the row is lost, the images before are not."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # or the limit would leave none whole
    process = subprocess.Popen(
        [*RUN, "--model", model, "--quiet"], stderr=subprocess.PIPE, text=True, env=environment
    )
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2000, 2000))  # long before it writes
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err == "retina-run: cannot write 'out/run.csv' (File too large); choose another --out\n"
    assert Path("out/run.csv").stat().st_size == 2000
    done = rows()
    assert 0 < len(done) < IMAGES
    check_whole("out", done)
    check_the_next_run_goes_on(model, "out", done)


def test_a_folder_that_is_moved_away_midway(here, model):
    process = subprocess.Popen([*RUN, "--model", model, "--quiet"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE
    while not (Path("out/run.csv").exists() and len(rows()) >= 2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    Path("out").rename("moved")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err == (
        "retina-run: cannot write to the output folder 'out' any more (No such file or directory)\n"
    )
    assert not Path("out").exists()
    shutil.rmtree("moved/.retina-run", ignore_errors=True)  # it could not know where this went
    done = rows("moved")
    assert 2 <= len(done) < IMAGES
    check_whole("moved", done)
    check_the_next_run_goes_on(model, "moved", done)
