import io
import os
import threading
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
from called_steps import CalledSteps
from PIL import Image

from retinagan.runtime.batch import batch
from retinagan.runtime.batch.batch import Batch
from retinagan.runtime.batch.inputs import find_inputs
from retinagan.runtime.batch.jobs import jobs_to_do
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.batch.pictures import OVERLAY_FORMATS
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, FAILED, STAGES
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.errors import EngineError, NoRetinaError
from retinagan.runtime.segmenter import Segmentation

PICTURES = ("vessels", "probability", "overlay")  # those of the image's size
SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")
CALLED_STAGES = [stage for stage in STAGES if stage not in ("read", "write")]


def segment(frame: np.ndarray) -> Segmentation:
    """Takes the left half for the retina and what is bright there for vessels."""
    brightness = frame if frame.ndim == 2 else frame[..., 1]
    if not brightness.any():
        raise NoRetinaError("black all over")
    roi = np.zeros(brightness.shape, bool)
    roi[:, : roi.shape[1] // 2] = True
    probability = np.where(roi, brightness / np.float32(np.iinfo(frame.dtype).max), 0).astype(np.float32)
    return Segmentation(probability, probability >= 0.5, roi, dict.fromkeys(CALLED_STAGES, 0.25))


def picture(height: int = 6, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), np.uint8)


def save(path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def run(
    tmp_path, segment=segment, kinds=("vessels",), *, again=False, arguments=("in",), overlays="png"
) -> list:
    """Do a whole run, and give the rows of this run."""
    found = find_inputs([str(tmp_path / argument) for argument in arguments])
    with (
        OutputFolder(tmp_path / "out", overlay_format=overlays) as folder,
        Report(folder, SETTINGS) as report,
    ):
        rows = []
        for row in Batch(CalledSteps(segment), folder, SETTINGS, kinds).run(
            jobs_to_do(found.inputs, report, folder, kinds, again=again)
        ):
            report.append(row)
            rows.append(row)
    return rows


def results(tmp_path) -> list[str]:
    out = tmp_path / "out"
    return sorted(str(path.relative_to(out)) for path in out.rglob("*.*") if path.suffix != ".csv")


def test_an_image_gives_its_pictures_and_its_row(tmp_path):
    array = picture()
    save(tmp_path / "in" / "sub" / "a.png", array)
    (row,) = run(tmp_path, kinds=PICTURES)
    expected = segment(array)
    out = tmp_path / "out" / "sub"
    vessels = cv2.imread(str(out / "a_vessels.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(vessels, np.where(expected.vessels, 255, 0))
    assert vessels.dtype == np.uint8
    probability = cv2.imread(str(out / "a_probability.png"), cv2.IMREAD_UNCHANGED)
    assert probability.dtype == np.uint16
    np.testing.assert_allclose(probability / 65535, expected.probability, atol=0.5 / 65535)
    overlay = cv2.imread(str(out / "a_overlay.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(overlay, draw_overlay(array, expected.vessels, expected.roi))
    assert (row.path, row.status, row.message, row.output) == ("sub/a.png", DONE, "", "sub/a")
    assert (row.width, row.height, row.roi_share) == (8, 6, 0.5)
    assert row.vessel_density == expected.vessels.sum() / 24
    assert set(row.seconds) == set(STAGES)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_and_16_bit_images_have_an_overlay_too(tmp_path, dtype):
    save(tmp_path / "in" / "a.png", picture()[..., 0].astype(dtype) * dtype(200))
    assert [row.status for row in run(tmp_path, kinds=PICTURES)] == [DONE]
    assert cv2.imread(str(tmp_path / "out" / "a_overlay.png"), cv2.IMREAD_UNCHANGED).shape == (6, 8, 3)


def test_pictures_carry_nothing_of_the_inputs_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x013B] = "a patient's name"
    exif.get_ifd(0x8825)[1] = "N"
    (tmp_path / "in").mkdir()
    Image.fromarray(picture(16, 24)).save(tmp_path / "in" / "a.jpg", exif=exif, comment="a patient's name")
    (row,) = run(tmp_path, kinds=PICTURES)
    assert (row.width, row.height) == (16, 24)
    for kind in PICTURES:
        path = tmp_path / "out" / f"a_{kind}.png"
        with Image.open(path) as image:
            assert image.size == (16, 24)
            assert image.info == {"Software": "retina-run"}
        assert b"patient" not in path.read_bytes()


def test_bad_images_do_not_stop_the_others(tmp_path):
    folder = tmp_path / "in"
    for number in range(6):
        save(folder / f"good{number}.png", picture(seed=number))
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no image")
    encoded = io.BytesIO()
    Image.fromarray(picture(60, 60)).save(encoded, "png")
    (folder / "half.png").write_bytes(encoded.getvalue()[:-4000])
    (folder / "lost.tif").symlink_to("nothing.tif")
    os.mkfifo(folder / "pipe.png")
    save(folder / "black.png", np.zeros((6, 8, 3), np.uint8))
    rows = {row.path: row for row in run(tmp_path)}
    assert {path for path, row in rows.items() if row.status == DONE} == {f"good{n}.png" for n in range(6)}
    assert list(rows) == sorted(rows)
    messages = {path: row.message for path, row in rows.items() if row.status == FAILED}
    assert messages.keys() == {"empty.png", "text.jpg", "half.png", "lost.tif", "pipe.png", "black.png"}
    assert "empty" in messages["empty.png"]
    assert messages["black.png"] == "black all over"
    assert all(message and "\n" not in message for message in messages.values())
    assert results(tmp_path) == [f"good{number}_vessels.png" for number in range(6)]
    assert (rows["black.png"].width, rows["empty.png"].width) == (8, None)


def test_a_folder_that_cannot_be_listed_has_a_row(tmp_path, monkeypatch):
    save(tmp_path / "in" / "a.png", picture())
    save(tmp_path / "in" / "locked" / "b.png", picture())
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    rows = run(tmp_path)
    assert [(row.path, row.status) for row in rows] == [("a.png", DONE), ("locked", FAILED)]
    assert rows[1].message == "this folder cannot be listed; change its permissions or the user"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "not enough memory for an image of this size; make it smaller"),
        (
            ValueError("odd\nshape"),
            "unexpected ValueError: odd shape (test_batch.py, line {line}); please report it with the image",
        ),
        (EngineError("out of memory"), "out of memory"),
    ],
)
def test_an_error_in_the_segmenter_costs_one_image(tmp_path, error, message):
    for name in "abc":
        save(tmp_path / "in" / f"{name}.png", picture(10 if name == "b" else 6))

    def fails_on_b(frame):
        if len(frame) == 10:
            raise error
        return segment(frame)

    line = fails_on_b.__code__.co_firstlineno + 2
    rows = run(tmp_path, fails_on_b)
    assert [row.status for row in rows] == [DONE, FAILED, DONE]
    assert rows[1].message == message.format(line=line)


def test_an_engine_that_fails_again_and_again_ends_the_run(tmp_path):
    for number in range(20):
        save(tmp_path / "in" / f"{number:02}.png", picture())
    calls = []

    def device_lost(frame):
        calls.append(frame)
        if len(calls) > 4:
            raise EngineError("the device is lost")
        return segment(frame)

    with pytest.raises(EngineError, match="the engine failed on 3 images in a row: the device is lost"):
        run(tmp_path, device_lost)
    assert 7 <= len(calls) <= 10
    rows = run(tmp_path)
    assert [row.path for row in rows] == [f"{number:02}.png" for number in range(4, 20)]
    assert {row.status for row in rows} == {DONE}


def test_engine_failures_with_successes_between_do_not_end_the_run(tmp_path):
    for number in range(12):
        save(tmp_path / "in" / f"{number:02}.png", picture())
    calls = []

    def shaky(frame):
        calls.append(frame)
        if len(calls) % 3:
            raise EngineError("busy")
        return segment(frame)

    assert [row.status for row in run(tmp_path, shaky)].count(FAILED) == 8


def test_a_full_disk_ends_the_run_and_leaves_no_half_picture(tmp_path, monkeypatch):
    for number in range(9):
        save(tmp_path / "in" / f"{number}.png", picture())
    written = []
    write = OutputFolder.replace

    def full_after_4(self, name, content):
        if name.endswith(".png"):
            written.append(name)
            if len(written) > 4:
                raise OSError(28, "No space left on device")
        write(self, name, content)

    monkeypatch.setattr(OutputFolder, "replace", full_after_4)
    with pytest.raises(OutputError, match=r"cannot write to the output folder .* any more"):
        run(tmp_path)
    assert results(tmp_path) == sorted(written[:4])
    monkeypatch.undo()
    reached = int(run(tmp_path)[0].path[0])  # of two images written at once, the later may be the first
    assert 3 <= reached <= 4
    assert results(tmp_path) == [f"{number}_vessels.png" for number in range(9)]


def test_what_is_done_is_not_done_again(tmp_path):
    for name in "abc":
        save(tmp_path / "in" / f"{name}.png", picture())
    (tmp_path / "in" / "bad.png").touch()
    assert len(run(tmp_path)) == 4
    assert [row.path for row in run(tmp_path)] == ["bad.png"]
    with (tmp_path / "in" / "b.png").open("ab") as file:
        file.write(b"more")
    os.utime(tmp_path / "in" / "c.png", ns=(1, 1))
    (tmp_path / "out" / "a_vessels.png").unlink()
    (tmp_path / "in" / "bad.png").unlink()
    assert [row.path for row in run(tmp_path)] == ["a.png", "b.png", "c.png"]
    assert run(tmp_path) == []
    assert len(run(tmp_path, again=True)) == 3
    assert len(run(tmp_path, kinds=("vessels", "overlay"))) == 3
    assert run(tmp_path, kinds=("vessels", "overlay")) == []


def test_an_image_that_is_edited_is_done_again(tmp_path):
    save(tmp_path / "in" / "a.png", picture())
    run(tmp_path)
    before = (tmp_path / "out" / "a_vessels.png").read_bytes()
    save(tmp_path / "in" / "a.png", picture(seed=1))
    assert [row.status for row in run(tmp_path)] == [DONE]
    assert (tmp_path / "out" / "a_vessels.png").read_bytes() != before


def test_no_picture_stays_that_its_row_does_not_describe(tmp_path):
    save(tmp_path / "in" / "a.png", picture())
    run(tmp_path, kinds=PICTURES)
    save(tmp_path / "in" / "a.png", picture(seed=1))
    run(tmp_path)
    assert results(tmp_path) == ["a_vessels.png"]
    (tmp_path / "in" / "a.png").write_bytes(b"broken")
    assert [row.status for row in run(tmp_path)] == [FAILED]
    assert results(tmp_path) == []


def test_an_overlay_in_another_format_replaces_the_one_before(tmp_path):
    save(tmp_path / "in" / "a.png", picture(64, 48))
    for name, suffix in OVERLAY_FORMATS.items():
        (row,) = run(tmp_path, kinds=("vessels", "overlay"), overlays=name)
        assert row.status == DONE
        assert results(tmp_path) == [f"a_overlay{suffix}", "a_vessels.png"]
        with Image.open(tmp_path / "out" / f"a_overlay{suffix}") as overlay:
            assert overlay.size == (48, 64)
        assert run(tmp_path, kinds=("vessels", "overlay"), overlays=name) == []


def test_pictures_of_several_images_are_compressed_at_once(tmp_path, monkeypatch):
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", picture())
    meeting = threading.Barrier(2, timeout=60)
    write = OutputFolder.write

    def met(self, stem, kind, array):
        if stem in ("0", "1"):
            meeting.wait()  # passes only if another picture is being written meanwhile
        write(self, stem, kind, array)

    monkeypatch.setattr(OutputFolder, "write", met)
    assert [row.status for row in run(tmp_path)] == [DONE] * 6


def test_a_row_says_the_angle_and_where_it_comes_from(tmp_path):
    save(tmp_path / "in" / "a.png", picture())
    (row,) = run(tmp_path)
    assert (row.field_of_view, row.field_of_view_from, row.working_size) == (None, "fixed", 0)

    def scaled(frame):
        return replace(segment(frame), field_of_view=45.0, working_size=832)

    (row,) = run(tmp_path, scaled, again=True)
    assert (row.field_of_view, row.field_of_view_from, row.working_size) == (45.0, "assumed", 832)


def test_an_angle_that_the_user_gives_is_named_as_given(tmp_path, monkeypatch):
    save(tmp_path / "in" / "a.png", picture())
    monkeypatch.setitem(globals(), "SETTINGS", replace(SETTINGS, field_of_view=60.0))
    (row,) = run(tmp_path, lambda frame: replace(segment(frame), field_of_view=60.0, working_size=1088))
    assert (row.field_of_view, row.field_of_view_from, row.working_size) == (60.0, "given", 1088)


def test_images_that_would_write_one_name_are_all_kept(tmp_path):
    save(tmp_path / "in" / "a.png", picture(seed=1))
    save(tmp_path / "in" / "a.tif", picture(seed=2))
    save(tmp_path / "in" / "sub" / "a.png", picture(seed=3))
    assert [row.output for row in run(tmp_path)] == ["a.png", "a.tif", "sub/a"]
    assert results(tmp_path) == ["a.png_vessels.png", "a.tif_vessels.png", "sub/a_vessels.png"]
    assert run(tmp_path) == []


def test_an_image_that_comes_later_does_not_take_anothers_name(tmp_path):
    save(tmp_path / "in" / "a.png", picture(seed=1))
    run(tmp_path)
    save(tmp_path / "in" / "a.tif", picture(seed=2))
    assert [row.output for row in run(tmp_path)] == ["a.tif"]
    assert results(tmp_path) == ["a.tif_vessels.png", "a_vessels.png"]


def test_results_beside_the_images_are_no_images(tmp_path):
    save(tmp_path / "out" / "a.png", picture())
    save(tmp_path / "out" / "manual_vessels.png", picture())
    run(tmp_path, kinds=PICTURES, arguments=["out"])
    assert run(tmp_path, kinds=PICTURES, arguments=["out"]) == []
    assert results(tmp_path) == [
        "a.png",
        "a_overlay.png",
        "a_probability.png",
        "a_vessels.png",
        "manual_vessels.png",
        "manual_vessels_overlay.png",
        "manual_vessels_probability.png",
        "manual_vessels_vessels.png",
    ]


def test_an_input_is_never_replaced(tmp_path):
    drawn_by_hand = picture(seed=5)
    save(tmp_path / "out" / "a.png", picture())
    save(tmp_path / "out" / "a_vessels.png", drawn_by_hand)
    rows = run(tmp_path, arguments=["out"])
    assert [row.output for row in rows] == ["a.png", "a_vessels"]
    np.testing.assert_array_equal(Image.open(tmp_path / "out" / "a_vessels.png"), drawn_by_hand)


def test_images_in_flight_are_few(tmp_path, monkeypatch):
    for number in range(40):
        save(tmp_path / "in" / f"{number:02}.png", picture())
    references, alive = [], []
    read = batch.read_image

    def counted(path, frame):
        photograph = read(path, frame=frame)
        references.append(weakref.ref(photograph.pixels))
        alive.append(sum(reference() is not None for reference in references))
        return photograph

    monkeypatch.setattr(batch, "read_image", counted)
    assert len(run(tmp_path)) == 40
    assert max(alive) <= 7
