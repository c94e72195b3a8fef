import json
import re

import cv2
import numpy as np
import pytest

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.page import page as module
from retinagan.runtime.batch.page.html import MARK
from retinagan.runtime.batch.page.names import Names, plain_digits
from retinagan.runtime.batch.page.page import OldPage, Page
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, FAILED, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.errors import OptionError
from retinagan.runtime.segmenter import Segmentation

SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")
STAMP = Stamp("1000", "1.5", SETTINGS.model_sha256, SETTINGS.digest)
IMAGE = np.full((30, 40, 3), 80, np.uint8)
PROBABILITY = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
ROI = np.zeros((30, 40), bool)
ROI[:, 20:] = True
RESULT = Segmentation(PROBABILITY * ROI, ROI & (PROBABILITY >= 0.5), ROI, {})


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path / "out") as folder:
        yield folder


@pytest.fixture
def report(folder):
    with Report(folder, SETTINGS) as report:
        yield report


def record(report: Report, name: str, status: str = DONE) -> Row:
    row = Row(name, status, "", name, STAMP, width=40, height=30, confidence=0.5)
    report.append(row)
    return row


def draw(page: Page, name: str, result: Segmentation | None = RESULT) -> None:
    drawing = page.drawing(name, IMAGE, result)
    if drawing is not None:
        for part in drawing.parts():
            part()
        drawing.finish()


def shown(folder: OutputFolder) -> dict[str, list]:
    text = (folder.path / "report.html").read_text("utf-8")
    return json.loads(re.search(r'id="data">(.*)</script>\n<script>', text)[1])["images"]


def drawn(folder: OutputFolder) -> list[str]:
    return sorted(path.name for path in (folder.path / "report").glob("*"))


def test_the_page_is_written_on_leaving_with_what_is_done(folder, report):
    with Page(folder, report) as page:
        page.expect(["a.png", "b.png", "c.png"])
        assert not page.has("a.png")
        draw(page, "a.png")
        record(report, "a.png")
        assert page.has("a.png")
        draw(page, "b.png", None)
        record(report, "b.png", FAILED)
    assert page.path == folder.path / "report.html"
    assert shown(folder)["name"] == ["a.png", "b.png"]
    assert shown(folder)["pictures"] == [2, 1]
    assert drawn(folder) == sorted([plain_digits("a.png"), plain_digits("b.png")])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_stopped_leaves_the_page(folder, report, stop):
    def stopped_run() -> None:
        with Page(folder, report) as page:
            page.expect(["a.png", "b.png"])
            draw(page, "a.png")
            record(report, "a.png")
            raise stop

    with pytest.raises(stop):
        stopped_run()
    assert shown(folder)["name"] == ["a.png"]


def test_a_long_run_has_a_page_while_it_goes_on(folder, report):
    now = [0.0]
    with Page(folder, report, clock=lambda: now[0]) as page:
        page.expect(["a.png", "b.png"])
        row = record(report, "a.png")
        now[0] = 29.0
        page.advance(row)
        assert not page.path.exists()
        now[0] = 31.0
        page.advance(row)
        assert shown(folder)["name"] == ["a.png"]
        row = record(report, "b.png")
        now[0] = 60.0
        page.advance(row)
        assert shown(folder)["name"] == ["a.png"]
        now[0] = 62.0
        page.advance(row)
        assert shown(folder)["name"] == ["a.png", "b.png"]


def test_a_page_that_takes_long_is_written_seldom(folder, report, monkeypatch):
    now, written = [0.0], []

    def write(self) -> None:
        written.append(now[0])
        now[0] += 10

    monkeypatch.setattr(Page, "write", write)
    with Page(folder, report, clock=lambda: now[0]) as page:
        row = Row("a.png", DONE, "", "a", STAMP)
        for now[0] in (31.0, 235.0, 242.0):
            page.advance(row)
    assert written[:2] == [31.0, 242.0]


def test_the_number_of_a_page_stays_and_so_do_its_marks(folder, report):
    numbers = []
    for _ in range(2):
        with Page(folder, report):
            pass
        numbers.append(
            re.search(r'name="report" content="(\w{16})"', (folder.path / "report.html").read_text())[1]
        )
    assert numbers[0] == numbers[1]
    (folder.path / "report.html").unlink()
    with Page(folder, report):
        pass
    assert numbers[0] not in (folder.path / "report.html").read_text()


def test_pictures_of_an_image_that_is_done_again_are_replaced(folder, report):
    with Page(folder, report) as page:
        page.expect(["a.png"])
        draw(page, "a.png")
        stale = folder.path / "report" / plain_digits("a.png") / "0_9_9_map.webp"
        stale.write_bytes(next(stale.parent.glob("*_map.webp")).read_bytes())
        drawing = page.drawing("a.png", IMAGE, RESULT)
        assert not page.has("a.png")
        assert not stale.exists()
        assert drawing is not None


def test_an_image_that_was_not_read_has_no_pictures(folder, report):
    with Page(folder, report) as page:
        page.expect(["a.png"])
        draw(page, "a.png")
        assert page.drawing("a.png", np.empty((0, 0), np.uint8), None) is None
        assert drawn(folder) == []


def test_pictures_of_images_that_are_in_no_row_are_removed_once(folder, report):
    with Page(folder, report) as page:
        page.expect(["a.png", "gone.png"])
        draw(page, "a.png")
        draw(page, "gone.png")
    (folder.path / "report" / "mine").mkdir()
    (folder.path / "report" / plain_digits("gone.png") / "notes.txt").touch()
    with Page(folder, report) as page:
        page.expect(["a.png"])
        draw(page, "a.png")
        page.expect(["later.png"])  # as --watch does
    assert drawn(folder) == sorted([plain_digits("a.png"), plain_digits("gone.png"), "mine"])
    assert [path.name for path in (folder.path / "report" / plain_digits("gone.png")).iterdir()] == [
        "notes.txt"
    ]


def test_hidden_names_black_out_what_is_no_retina(folder, report):
    with Page(folder, report, "hash") as page:
        page.expect(["a.png", "failed.png"])
        draw(page, "a.png")
        draw(page, "failed.png", None)
        record(report, "a.png")
        record(report, "failed.png", FAILED)
    (digits,) = drawn(folder)
    assert digits != plain_digits("a.png")
    assert digits == Names(folder, "hash").digits_of("a.png")
    photograph = cv2.imread(str(folder.path / "report" / digits / "0_0_0_photograph.webp"))
    assert photograph[:, :17].max() <= 3
    assert photograph[:, 23:].min() >= 70
    assert sorted(shown(folder)["pictures"]) == [0, 2]
    assert "png" not in " ".join(shown(folder)["name"])


def test_another_kind_of_names_needs_other_pictures(folder, report):
    record(report, "a.png")
    for kind in ("file", "hash", "file"):
        with Page(folder, report, kind) as page:
            page.expect(["a.png"])
            assert not page.has("a.png")
            draw(page, "a.png")
        assert len(drawn(folder)) == 1
    assert drawn(folder) == [plain_digits("a.png")]


def test_a_page_of_another_program_is_kept(folder, report):
    (folder.path / "report.html").write_text("<html>mine</html>")
    with pytest.raises(
        OutputError,
        match=r"report\.html' is not from retina-run; move it away, choose another --out, or replace it",
    ):
        Page(folder, report)
    OldPage(folder).advance(Row("a.png", DONE, "", "a", STAMP))
    assert (folder.path / "report.html").read_text() == "<html>mine</html>"
    folder.overwrite = True
    with Page(folder, report):
        pass
    assert MARK in (folder.path / "report.html").read_bytes()


def test_what_cannot_be_read_is_an_error(folder, report):
    (folder.path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"cannot read '.*report\.html' \(Is a directory\); move it away"):
        Page(folder, report)
    OldPage(folder).advance(Row("a.png", DONE, "", "a", STAMP))


def test_a_page_that_cannot_be_written_is_an_error_unless_another_ended_the_run(folder, report, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    def run(error: Exception | None = None) -> None:
        with Page(folder, report):
            if error is not None:
                raise error

    monkeypatch.setattr(folder, "replace", full)
    with pytest.raises(
        OutputError, match=r"cannot write '.*report\.html' \(No space left on device\); choose an"
    ):
        run()
    with pytest.raises(OutputError, match="the first"):
        run(OutputError("the first"))


def test_a_pillow_without_webp_is_named(folder, report, monkeypatch):
    monkeypatch.setattr(module.features, "check", lambda name: name != "webp")
    with pytest.raises(
        OptionError, match="--report: this Pillow was built without WebP; install one with it: pip"
    ):
        Page(folder, report)


def test_a_run_without_a_page_removes_it_once_it_is_out_of_date(folder, report):
    row = record(report, "a.png")
    for kind in ("hash", "file"):
        with Page(folder, report, kind) as page:
            page.expect(["a.png", "b.png"])
            draw(page, "a.png")
            draw(page, "b.png")
    with OldPage(folder) as old:
        old.expect(["a.png"])
        assert old.has("a.png")
        assert old.drawing("a.png", IMAGE, RESULT) is None
        assert old.path is None
        assert (folder.path / "report.html").exists()
        old.advance(row)
        old.advance(row)
    assert not (folder.path / "report.html").exists()
    assert drawn(folder) == [plain_digits("b.png")]


def test_a_shard_draws_pictures_and_leaves_the_page_to_the_run_after_it(tmp_path):
    for shard in (Shard(1, 2), Shard(2, 2)):
        with OutputFolder(tmp_path, shard=shard) as folder, Report(folder, SETTINGS) as report:
            name = f"{shard.number}.png"
            with Page(folder, report) as page:
                page.expect(["1.png", "2.png"])
                draw(page, name)
                record(report, name)
            assert page.path is None
            assert not (tmp_path / "report.html").exists()
        with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report, Page(folder, report):
            pass
        assert (tmp_path / "report.html").exists()
        with OutputFolder(tmp_path, shard=shard) as folder, Report(folder, SETTINGS) as report:
            Page(folder, report).advance(record(report, name))
    with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report:
        with Page(folder, report) as page:
            page.expect(["1.png", "2.png"])
            assert page.has("1.png")
        assert shown(folder)["name"] == ["1.png", "2.png"]
        assert shown(folder)["pictures"] == [2, 2]


def test_a_run_without_a_page_where_there_never_was_one(folder, report):
    with OldPage(folder) as old:
        old.advance(Row("a.png", DONE, "", "a", STAMP))
    assert [path.name for path in folder.path.iterdir() if path.suffix] == ["run.csv"]
