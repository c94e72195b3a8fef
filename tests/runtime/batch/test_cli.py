import csv
import io
import json
import re
import shlex
import signal
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from dicom_files import PATIENT, dicom_dataset, dicom_file
from dicom_sources import as_file, drawn_source
from dicom_tools import contradictions_among, errors_in
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import EngineError, __version__, segmenter
from retinagan.runtime.batch import drawing, progress
from retinagan.runtime.batch.cli import _parsed, main
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import spec_path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with three images in it; no progress is said, however slow the computer is."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL", 3600.0)
    image, _ = drawn_retina()
    for name in ("a.png", "b.jpg", "sub/c.tif"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(out: str = "out") -> dict[str, dict[str, str]]:
    with Path(out, "run.csv").open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def pictures(out: str = "out") -> list[str]:
    return sorted(str(path.relative_to(out)) for path in Path(out).rglob("*_*.*"))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises an image of this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def test_a_folder_gives_vessel_maps_and_a_report(here, model, capsys):
    assert main(["in", "--model", model]) == 0
    assert pictures() == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]
    image, lines = drawn_retina()
    vessels = cv2.imread("out/a_vessels.png", cv2.IMREAD_UNCHANGED)
    assert vessels.shape == image.shape[:2]
    assert set(np.unique(vessels)) == {0, 255}
    assert vessels[lines].mean() > 200
    found = rows()
    assert list(found) == ["a.png", "b.jpg", "sub/c.tif"]
    for row in found.values():
        assert (row["status"], row["width"], row["height"]) == ("done", "200", "180")
        assert 0 < float(row["vessel_density"]) < float(row["roi_share"]) < 1
        assert row["engine"]
        assert len(row["model_sha256"]) == 64
        assert all(float(row[f"seconds_{stage}"]) > 0 for stage in ("read", "infer", "write", "total"))
    said = capsys.readouterr()
    assert said.err == ""
    first, second, last = said.out.splitlines()
    assert first == "3 images: 3 done"
    assert f"images/s; {found['a.png']['engine']}; model tiny {row['model_sha256'][:12]}" in second
    assert last == "report: out/run.csv"


@pytest.mark.parametrize(
    "arguments",
    [
        ["in/a.png", "--save", "probability", "overlay"],
        ["in/a.png", "--save", "probability", "--save", "overlay", "vessels"],
        ["in/a.png", "--save", "overlay,probability"],
        ["--save", "overlay", "probability", "in/a.png"],
        ["--save", "overlay", "--save", "probability", "in/*.png"],
    ],
)
def test_save_adds_pictures(here, model, arguments):
    assert main([*arguments, "--model", model]) == 0
    assert pictures() == ["a_overlay.jpg", "a_probability.png", "a_vessels.png"]


def test_inputs_may_stand_anywhere(here, model):
    assert main(["in/a.png", "--out", "maps", "in/b.jpg", "--model", model, "--threads", "1", "in/sub"]) == 0
    assert pictures("maps") == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]


def test_a_name_that_begins_with_a_dash(here, model):
    Path("in/a.png").rename("-a.png")
    assert main(["--model", model, "--", "-a.png"]) == 0
    assert pictures() == ["-a_vessels.png"]
    assert list(rows()) == ["./-a.png"]


def test_images_that_fail_have_a_row_each_and_do_not_stop_the_rest(here, model, capsys):
    good = Path("in/a.png").read_bytes()
    files = {
        "empty.png": b"",
        "half.png": good[: len(good) // 2],
        "text.jpg": b"this is no image at all",
        "huge.png": png_of_size(60_000, 60_000),
    }
    for name, content in files.items():
        Path("in", name).write_bytes(content)
    arrays = {
        "black.png": np.zeros((180, 200, 3), np.uint8),
        "noise.png": np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8),
        "one.png": np.full((1, 1, 3), 200, np.uint8),
        "white.png": np.full((180, 200, 3), 255, np.uint8),
    }
    for name, array in arrays.items():
        Image.fromarray(array).save(Path("in", name))
    Path("in/notes.txt").touch()
    Path("in/.DS_Store").touch()
    assert main(["in", "--model", model]) == 1
    found = rows()
    failed = {name for name, row in found.items() if row["status"] == "failed"}
    assert failed == files.keys() | arrays.keys()
    assert pictures() == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]
    said = capsys.readouterr()
    assert sorted(said.err.splitlines()) == sorted(f"{name}: {found[name]['message']}" for name in failed)
    assert all(len(found[name]["message"]) > 20 for name in failed)
    assert said.out.splitlines()[:2] == [
        "11 images: 3 done, 8 failed",
        "skipped: 1 other file (notes.txt)",
    ]


def test_warnings_leave_the_exit_code_unless_strict(here, model, capsys):
    image = np.array(Image.open("in/a.png"))
    Image.fromarray(np.hstack([image, image])).save("in/both.png")
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "4 images: 3 done, 1 with warnings",
        "warnings: several-fields-of-view 1",
    ]
    row = rows()["both.png"]
    assert (row["status"], row["warnings"]) == ("warning", "several-fields-of-view")
    assert row["message"].startswith("2 fields of view found, 1 segmented: the one round (")
    assert 0 < float(row["confidence"]) <= 1
    assert main(["in", "--model", model, "--strict"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "4 images: 0 done, 4 kept from before"
    assert main(["in/a.png", "--out", "other", "--model", model, "--strict"]) == 0


def test_what_a_file_leaves_in_doubt_is_a_warning_too(here, model):
    first, second = (Image.fromarray(np.array(Image.open("in/a.png"))) for _ in range(2))
    first.save("in/two.tif", save_all=True, append_images=[second])
    assert main(["in/two.tif", "--model", model]) == 0
    row = rows()["two.tif"]
    assert (row["status"], row["warnings"]) == ("warning", "first-of-several-frames")


def test_a_second_run_goes_on_and_tries_again_what_failed(here, model, capsys):
    Path("in/bad.png").touch()
    assert main(["in", "--model", model]) == 1
    before = rows()
    Image.fromarray(drawn_retina()[0]).save("in/bad.png")
    capsys.readouterr()
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out.startswith("4 images: 1 done, 3 kept from before\n")
    after = rows()
    assert {name: after[name] for name in after if name != "bad.png"} == {
        name: before[name] for name in before if name != "bad.png"
    }
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out == "4 images: 0 done, 4 kept from before\nreport: out/run.csv\n"


@pytest.mark.parametrize(
    "more",
    [["--threshold", "0.9"], ["--overlap", "0.5"], ["--save", "overlay"], ["--overwrite"]],
    ids=["threshold", "overlap", "save", "overwrite"],
)
def test_a_changed_option_does_all_again(here, model, capsys, more):
    main(["in", "--model", model])
    capsys.readouterr()
    assert main(["in", "--model", model, *more]) == 0
    said = capsys.readouterr()
    first = said.out.splitlines()[0]
    assert first.startswith("3 images: ")
    assert "kept from before" not in first  # at a high threshold some have warnings
    why = {
        "--threshold": "threshold was '0.5' and is '0.9' now",
        "--overlap": "overlap was",
        "--save": "pictures or measures that are asked for are not there yet",
    }.get(more[0])
    assert (f"retina-run: 3 images are done again: {why}" in said.err) is (why is not None)
    assert len(rows()) == 3


def test_a_changed_model_does_all_again(here, model, tmp_path, capsys):
    main(["in", "--model", model])
    capsys.readouterr()
    (tmp_path / "other").mkdir()
    other = write_tiny_model(tmp_path / "other", width=3)
    assert main(["in", "--model", str(other)]) == 0
    assert capsys.readouterr().out.startswith("3 images: 3 done\n")
    assert main(["in", "--model", str(other)]) == 0
    spec = tiny_spec(threshold=0.7)
    write_tiny_model(tmp_path / "other", spec, width=3)
    capsys.readouterr()
    assert main(["in", "--model", str(other)]) == 0
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 with warnings\n")
    assert {row["threshold"] for row in rows().values()} == {"0.7"}


def test_options_reach_the_segmenter(here, model):
    main(["in/a.png", "--model", model, "--threshold", "0.25", "--overlap", "0.5", "--device", "cpu"])
    (row,) = rows().values()
    assert (row["threshold"], row["overlap"]) == ("0.25", "0.5")
    main(["in/a.png", "--model", model, "--engine", "onnxruntime", "--device", "cpu", "--overwrite"])
    (row,) = rows().values()
    assert row["engine"].startswith("ONNX Runtime ")


@pytest.fixture
def scaled_model(tmp_path) -> str:
    """A model of 2 pixels a degree: squares of 96 pixels at 45 degrees."""
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=2.0)
    (tmp_path / "scaled").mkdir()
    spec = tiny_spec(preprocessing=preprocessing, tiling=Tiling(None))
    return str(write_tiny_model(tmp_path / "scaled", spec))


def angles() -> set[tuple[str, str, str]]:
    names = ("field_of_view", "field_of_view_from", "working_size")
    return {tuple(row[name] for name in names) for row in rows().values()}


def test_a_row_says_the_angle_and_what_follows_from_it(here, scaled_model, capsys):
    main(["in", "--model", scaled_model])
    assert angles() == {("45", "assumed", "96")}
    main(["in", "--model", scaled_model, "--field-of-view", "60"])
    assert angles() == {("60", "given", "128")}
    capsys.readouterr()
    main(["in", "--model", scaled_model, "--field-of-view", "60"])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")


def test_another_density_is_another_run(here, scaled_model, capsys):
    main(["in", "--model", scaled_model])
    main(["in", "--model", scaled_model, "--pixels-per-degree", "1.4"])
    assert angles() == {("45", "assumed", "64")}
    capsys.readouterr()
    main(["in", "--model", scaled_model, "--pixels-per-degree", "1.4"])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")
    assert main(["in", "--model", scaled_model, "--pixels-per-degree", "26"]) == 2
    assert capsys.readouterr().err.startswith("retina-run: pixels per degree: got 26; expected 0.6 to 3, aro")


def test_a_dicom_file_says_its_angle_eye_and_spacing(here, scaled_model):
    eye = drawn_retina(120, 120)[0]
    (here / "in" / "IM0001").write_bytes(dicom_file(eye, HorizontalFieldOfView=30.0, ImageLaterality="L"))
    main(["in/IM0001", "--model", scaled_model])
    assert angles() == {("30", "file", "64")}
    (row,) = rows().values()
    assert (row["laterality"], row["row_spacing"], row["column_spacing"]) == ("L", "0.05", "0.05")
    assert row["sop_instance_uid"] == dicom_dataset().SOPInstanceUID
    main(["in/IM0001", "--model", scaled_model, "--field-of-view", "60"])
    assert angles() == {("60", "given", "128")}


def test_nothing_of_the_patient_is_written_or_printed(here, scaled_model, capsys):
    eye = drawn_retina(120, 120)[0]
    (here / "in" / "a.dcm").write_bytes(dicom_file(eye))
    (here / "in" / "b.dcm").write_bytes(dicom_file(eye)[:-5000])
    (here / "in" / "c.dcm").write_bytes(dicom_file(eye, PhotometricInterpretation="HSV"))
    assert main(["in", "--model", scaled_model]) == 1
    printed = "".join(capsys.readouterr())
    written = "".join(f"{path} " for path in (here / "out").rglob("*")) + (here / "out/run.csv").read_text()
    assert {row["status"] for row in rows().values()} == {"done", "failed"}
    assert not any(part in printed + written for part in PATIENT)


def test_dicom_objects_that_are_no_photographs_are_passed_over_and_named(here, model, capsys):
    for name in ("report", "b.dcm", "c.dcm"):
        (here / "in" / name).write_bytes(dicom_file(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"))
    assert main(["in", "--model", model]) == 0
    assert "skipped: 3 of the DICOM class Comprehensive SR Storage" in capsys.readouterr().out
    assert main(["in/report", "--model", model, "--out", "other"]) == 1
    assert "is of the class Comprehensive SR Storage; expected a photograph" in capsys.readouterr().err


def study(here) -> None:
    """Put a study of two photographs beside the images."""
    for number, name in ((1, "right"), (2, "left.dcm")):
        made = drawn_source(number=number, height=120, width=120)
        made.PixelSpacing = [0.05, 0.05]
        (here / "in" / name).write_bytes(as_file(made))


EVERY_OBJECT = ("dicom-seg", "dicom-probability", "dicom-overlay", "dicom-sr")


def test_dicom_images_give_dicom_objects(here, model):
    study(here)
    arguments = ["in/right", "in/left.dcm", "--model", model, "--save", *EVERY_OBJECT]
    assert main(arguments) == 0
    endings = ("overlay.dcm", "probability.dcm", "report.dcm", "vessels.dcm", "vessels.png")
    assert pictures() == [f"{name}_{ending}" for name in ("left", "right") for ending in endings]
    objects = sorted(Path("out").glob("*.dcm"))
    assert [errors_in(path) for path in objects] == [[]] * 8
    assert contradictions_among([*objects, here / "in/right", here / "in/left.dcm"]) == []
    vessels = np.asarray(Image.open("out/left_vessels.png"))
    np.testing.assert_array_equal(pydicom.dcmread("out/left_vessels.dcm").pixel_array, vessels // 255)


def test_a_resumed_run_doubles_no_object(here, model, capsys):
    study(here)
    arguments = ["in/right", "in/left.dcm", "--model", model, "--save", *EVERY_OBJECT]
    main(arguments)
    before = {path.name: pydicom.dcmread(path).SOPInstanceUID for path in Path("out").glob("*.dcm")}
    kept = Path("out/right_vessels.dcm").read_bytes()
    Path("out/left_report.dcm").unlink()
    capsys.readouterr()
    main(arguments)
    assert "1 done, 1 kept from before" in capsys.readouterr().out
    after = {path.name: pydicom.dcmread(path).SOPInstanceUID for path in Path("out").glob("*.dcm")}
    assert after == before
    assert len(set(after.values())) == 8
    assert Path("out/right_vessels.dcm").read_bytes() == kept


def test_objects_that_are_not_asked_for_any_more_are_removed(here, model):
    study(here)
    main(["in/right", "--model", model, "--save", "dicom-seg", "dicom-sr"])
    main(["in/right", "--model", model, "--save", "dicom-sr", "--threshold", "0.25"])
    assert pictures() == ["right_report.dcm", "right_vessels.png"]


def test_an_object_of_another_program_is_not_replaced(here, model):
    study(here)
    Path("out").mkdir()
    Path("out/right_vessels.dcm").write_bytes(as_file(drawn_source(number=9)))
    arguments = ["in/right", "--model", model, "--save", "dicom-seg"]
    assert main(arguments) == 1
    assert "'right_vessels.dcm' exists in the output folder" in rows()["right"]["message"]
    assert main([*arguments, "--overwrite"]) == 0
    assert pydicom.dcmread("out/right_vessels.dcm").Modality == "SEG"


def test_an_image_of_another_format_has_no_dicom_objects(here, model):
    study(here)
    assert main(["in/a.png", "in/right", "--model", model, "--save", "dicom-seg"]) == 1
    assert rows()["a.png"]["message"].startswith("this is no DICOM file: a DICOM result of it would ")
    assert rows()["right"]["status"] == "done"
    assert pictures() == ["right_vessels.dcm", "right_vessels.png"]


def test_every_frame_has_its_objects(here, model):
    made = drawn_source(frames=2, height=120, width=120)
    (here / "in" / "visit.dcm").write_bytes(as_file(made))
    main(["in/visit.dcm", "--model", model, "--frames", "all", "--save", "dicom-seg"])
    found = [pydicom.dcmread(path) for path in sorted(Path("out").glob("*.dcm"))]
    derivations = [one.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0] for one in found]
    assert [one.SourceImageSequence[0].ReferencedFrameNumber for one in derivations] == [1, 2]


def test_a_file_without_a_study_is_warned_of_where_it_matters(here, model):
    made = drawn_source(height=120, width=120)
    del made.StudyInstanceUID
    (here / "in" / "a.dcm").write_bytes(as_file(made))
    main(["in/a.dcm", "--model", model])
    assert "dicom-study-missing" not in rows()["a.dcm"]["warnings"]
    main(["in/a.dcm", "--model", model, "--save", "dicom-seg"])
    assert "dicom-study-missing" in rows()["a.dcm"]["warnings"]
    assert "put into new ones" in rows()["a.dcm"]["message"]


def test_objects_of_an_earlier_run_are_no_images(here, model, capsys):
    study(here)
    main(["in/right", "--model", model, "--save", *EVERY_OBJECT, "--out", "in"])
    capsys.readouterr()
    main(["in", "--model", model, "--out", "again"])
    assert set(rows("again")) == {"a.png", "b.jpg", "sub/c.tif", "right", "left.dcm"}


def test_an_overlay_that_an_archive_sends_back_is_no_photograph(here, model, capsys):
    study(here)
    main(["in/right", "--model", model, "--save", "dicom-overlay"])
    back = pydicom.dcmread("out/right_overlay.dcm")
    back.file_meta.ImplementationClassUID, back.file_meta.ImplementationVersionName = "1.2.3", "ARCHIVE"
    for name in ("back/IM1", "back/IM2.dcm"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(as_file(back))
    (here / "back/IM0").write_bytes((here / "in/right").read_bytes())
    assert main(["back", "--model", model, "--out", "again"]) == 0
    assert set(rows("again")) == {"IM0"}
    assert main(["back/*.dcm", "back/IM0", "--model", model, "--out", "glob"]) == 0
    capsys.readouterr()
    assert main(["back/IM1", "--model", model, "--out", "named"]) == 1
    assert "this is a result of Retina-GAN, not a photograph" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["dicom-overlay", "--overlay-format", "webp"], "DICOM has no webp; choose --overlay-format jpeg"),
        (["dicom"], "expected vessels, probability, overlay, panel, "),
    ],
)
def test_objects_that_cannot_be_are_said_at_once(here, model, capsys, more, message):
    assert main(["in", "--model", model, "--save", *more]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out").exists()


def test_without_pydicom_a_dicom_file_fails_alone_and_says_what_to_install(here, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (here / "in" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + bytes(200))
    assert main(["in", "--model", model]) == 1
    (failed,) = [row for row in rows().values() if row["status"] == "failed"]
    assert failed["message"] == 'DICOM needs pydicom, which is not installed: pip install "retinagan[dicom]"'


def test_a_model_of_one_size_says_that_it_takes_no_angle(here, model, capsys):
    assert main(["in", "--model", model, "--field-of-view", "60"]) == 0
    assert angles() == {("", "fixed", "128")}
    assert capsys.readouterr().err == (
        "retina-run: warning: --field-of-view has no effect on maps: model tiny has a fixed working size of "
        "128 pixels\n"
    )
    main(["in", "--model", model])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")


def test_an_angle_that_no_camera_has(here, scaled_model, capsys):
    assert main(["in", "--model", scaled_model, "--field-of-view", "5"]) == 2
    message = "field of view of 5 degrees; expected the camera's angle, 10 to 220, such as 45"
    assert message in capsys.readouterr().err


def test_overlays_have_the_format_asked_for(here, model, capsys):
    main(["in/a.png", "--model", model, "--save", "overlay", "--overlay-format", "webp"])
    assert pictures() == ["a_overlay.webp", "a_vessels.png"]
    assert main(["in/a.png", "--model", model, "--overlay-format", "gif"]) == 2
    assert "argument --overlay-format: invalid choice: 'gif'" in capsys.readouterr().err


def test_a_panel_is_a_picture_like_the_others(here, model, capsys):
    command = ["in/a.png", "--model", model, "--save", "panel", "--overlay-format"]
    assert main([*command, "png"]) == 0
    assert pictures() == ["a_panel.png", "a_vessels.png"]
    with Image.open("out/a_panel.png") as panel:
        assert panel.info == {"Software": "retina-run"}
        assert panel.width > 4 * 384
    main([*command, "png"])
    assert "1 kept from before" in capsys.readouterr().out
    Path("out/a_panel.png").unlink()
    main([*command, "jpeg"])
    assert pictures() == ["a_panel.jpg", "a_vessels.png"]
    main(["in/a.png", "--model", model, "--overwrite"])
    assert pictures() == ["a_vessels.png"]


def test_overlays_are_coloured_by_what_is_asked_for(here, model, capsys):
    command = ["in/a.png", "--model", model, "--save", "overlay", "--overlay-format", "png"]
    seen = []
    for more in ([], ["--overlay-colour", "probability"], ["--overlay-colour", "calibre"]):
        assert main([*command, *more]) == 0
        assert "kept from before" not in capsys.readouterr().out  # another colour, another picture
        seen.append(Path("out/a_overlay.png").read_bytes())
    assert len(set(seen)) == 3
    main([*command, "--overlay-colour", "calibre"])
    assert "1 kept from before" in capsys.readouterr().out


def test_the_panel_of_a_dicom_photograph_has_its_spacing(here, scaled_model, monkeypatch):
    eye = drawn_retina(120, 120)[0]
    (here / "in" / "IM0001").write_bytes(dicom_file(eye, HorizontalFieldOfView=30.0))
    shown = []
    monkeypatch.setattr(drawing, "draw_panel", lambda parts: shown.append(parts) or parts.overlay)
    more = ["--overlay-colour", "calibre", "--save", "panel", "dicom-overlay"]
    assert main(["in/IM0001", "--model", scaled_model, *more]) == 0
    (parts,) = shown
    assert (parts.ruler.unit, parts.ruler.per_pixel) == ("mm", 0.05)
    (path,) = Path("out").glob("*_overlay.dcm")
    description = pydicom.dcmread(path).DerivationDescription
    assert "coloured by calibre in mm, viridis from 0 to 0.18+" in description


def test_threads_bound_opencv_too(here, model):
    before = cv2.getNumThreads()
    try:
        main(["in/a.png", "--model", model, "--threads", "1"])
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_quiet_says_nothing(here, model, capsys):
    Path("in/bad.png").touch()
    assert main(["in", "--model", model, "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_lone_model_runs_with_a_warning_of_one_line(here, tmp_path, capsys):
    lone = write_tiny_model(tmp_path)
    spec_path(lone).unlink()
    assert main(["in/a.png", "--model", str(lone)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"retina-run: warning: {lone} is not verified")
    (row,) = rows().values()
    assert len(row["model_sha256"]) == 64


def test_a_signal_counts_even_where_a_library_makes_another_error_of_it(here, model, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise EngineError("initialization failed") from None

    monkeypatch.setattr(segmenter, "open_adapter", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["in", "--model", model]) == 143
    assert capsys.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("missing", ["stdout", "stderr"])
def test_a_process_may_have_no_stdout_or_stderr(here, model, monkeypatch, missing):
    monkeypatch.setattr("sys." + missing, None)
    assert main(["in/a.png", "--model", model]) == 0
    assert main(["nothing"]) == 2
    assert pictures() == ["a_vessels.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give an image, a folder or a glob; see retina-run --help"),
        (["nothing.png"], "no such file or folder: 'nothing.png'"),
        (["in", "nothing"], "no such file or folder: 'nothing'"),
        (["*.bmp"], "no file matches '*.bmp'"),
        (["empty"], "no images found in 'empty'; recognised extensions: .png"),
        (
            ["in", "--model", "best"],
            '"best" is neither a model file nor a bundled model; bundled models:',
        ),
        (["in", "--model", "in/a.png"], "in/a.png: "),
        (["in", "--device", "toaster"], 'device: got \'toaster\'; expected "auto", "cpu", "cuda" or'),
        (["in", "--engine", "diesel"], "engine: got 'diesel'; expected one of"),
        (["in", "--threshold", "2"], "threshold: got 2.0; expected a number from 0 to 1"),
        (["in", "--threshold", "nan"], "threshold: got nan; expected a number from 0 to 1"),
        (["in", "--threshold", "high"], "argument --threshold: invalid float value: 'high'"),
        (["in", "--overlap", "1"], "overlap: got 1.0; expected a number from 0 to 0.9"),
        (["in", "--threads", "0"], "threads: got 0; expected a whole number from 1"),
        (["in", "--save", "everything"], "argument --save: got 'everything'; expected vessels, probability"),
        (
            ["in", "--overlay-colour", "calibre"],
            "--overlay-colour calibre: no overlay is written; add --save overlay or panel",
        ),
        (["in", "--overlay-colour", "red"], "argument --overlay-colour: invalid choice: 'red'"),
        (["in", "--save"], "argument --save: expected at least one argument"),
        (["in/a.png", "--watch"], "--watch expects folders that exist; got 'in/a.png'"),
        (["nothing", "--watch"], "--watch expects folders that exist; got 'nothing'"),
        (["in", "--watch", "--settle", "0"], "--settle: got 0; expected 0.1 to 3600 seconds"),
        (["in", "--settle", "1"], "--settle needs --watch; see retina-run --help"),
        (["in", "--watch", "--overwrite"], "--overwrite cannot be combined with --watch"),
        (["in", "--watch", "--strict"], "--strict cannot be combined with --watch"),
        (["in", "--watch", "--shard", "1/2"], "--shard cannot be combined with --watch"),
        (["in", "--cluster", "auto", "--shard", "1/2"], "--shard cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--report"], "--report cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--watch"], "--watch cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--workers", "0"], "argument --workers: got 0; expected 1 or more"),
        (
            ["in", "--cluster", "auto", "--worker-gpus", "nan"],
            "argument --worker-gpus: got nan; expected 0 or",
        ),
        (["in", "--workers", "2"], "--workers needs --cluster; see retina-run --help"),
        (["in", "--thresh", "0.5"], "unrecognized arguments: --thresh"),
        (["in", "--out", "in/a.png"], "cannot write to the output folder 'in/a.png' (File exists); choose"),
        (["in", "--out", "in/a.png/x"], "cannot write to the output folder 'in/a.png/x' (Not a directory)"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(here, model, capsys, arguments, message):
    Path("empty").mkdir()
    if arguments and "--model" not in arguments:
        arguments = [*arguments, "--model", model]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("retina-run: ")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert not Path("out").exists()


def test_another_programs_report_is_not_replaced(here, model, capsys):
    Path("out").mkdir()
    Path("out/run.csv").write_text("my own,table\n")
    assert main(["in", "--model", model]) == 2
    assert "'out/run.csv' does not have the columns" in capsys.readouterr().err
    assert pictures() == []


def test_a_full_disk_is_said_in_one_line_after_what_was_done(here, model, capsys, monkeypatch):
    def full(self, target):
        if target.suffix == ".png":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    assert main(["in", "--model", model]) == 2
    said = capsys.readouterr()
    assert (
        said.err == "retina-run: cannot write to the output folder 'out' any more (No space left on device)\n"
    )
    assert said.out.startswith("3 images: 0 done, 3 not reached; run the same command again to continue\n")
    assert list(Path("out").iterdir()) == [Path("out/run.csv")]
    monkeypatch.setattr(Path, "replace", rename)
    assert main(["in", "--model", model]) == 0


def test_the_shards_of_a_run_do_each_image_once_and_the_next_run_takes_in_their_reports(here, model, capsys):
    good = Path("in/a.png").read_bytes()
    for number in range(12):
        Path(f"in/{number:02}.png").write_bytes(good)
    Path("in/12.png").write_bytes(good[:100])
    codes = [main(["in", "--model", model, "--shard", f"{number}/3"]) for number in (1, 2, 3)]
    assert sorted(codes) == [0, 0, 1]
    said = capsys.readouterr()
    assert re.search(r"^\d+ images of shard 2/3: \d+ done", said.out, re.MULTILINE)
    assert "report: out/rows/run.3-of-3.csv" in said.out
    assert len(pictures()) == 15
    reports = [path.read_text().splitlines()[1:] for path in Path("out/rows").iterdir()]
    assert len(reports) == 3
    assert sum(map(len, reports)) == 16
    assert len({line.split(",")[0] for report in reports for line in report}) == 16
    assert not Path("out/run.csv").exists()

    assert main(["in", "--model", model, "--shard", "2/3"]) in (0, 1)
    Path("in/12.png").write_bytes(good)
    assert main(["in", "--model", model]) == 0
    assert "16 images: 1 done, 15 kept from before" in capsys.readouterr().out
    assert len(rows()) == 16
    assert {row["status"] for row in rows().values()} == {"done"}
    assert sorted(path.name for path in Path("out").iterdir() if "_" not in path.name) == ["run.csv", "sub"]


def test_shards_of_another_count_go_on_with_what_is_done(here, model, capsys):
    for number in (1, 2, 3):
        main(["in", "--model", model, "--shard", f"{number}/3"])
    capsys.readouterr()
    for number in (1, 2):
        assert main(["in", "--model", model, "--shard", f"{number}/2"]) == 0
    said = capsys.readouterr().out
    kept = sum(int(count) for count in re.findall(r"(\d+) kept from before", said))
    assert kept == 3
    assert " 0 done" in said


def test_a_shard_without_an_image_has_nothing_to_do(here, model, capsys):
    codes = {main(["in", "--model", model, "--shard", f"{number}/40"]) for number in range(1, 41)}
    assert codes == {0}
    assert "0 images of shard 1/40: 0 done\nreport: out/rows/run.1-of-40.csv\n" in capsys.readouterr().out
    assert len(pictures()) == 3


def test_shards_name_the_frames_of_files_alike(here, model):
    stack = [Image.fromarray(drawn_retina(angles=(angle,))[0]) for angle in (20, 75)]
    stack[0].save("in/b.tif", save_all=True, append_images=stack[1:])
    for number in (1, 2, 3):
        assert main(["in", "--frames", "all", "--model", model, "--shard", f"{number}/3"]) == 0
    assert main(["in", "--frames", "all", "--model", model]) == 0
    assert {name: row["output"] for name, row in rows().items()} == {
        "a.png": "a",
        "b.jpg": "b",
        "b.tif#1": "b_frame1",
        "b.tif#2": "b_frame2",
        "sub/c.tif": "sub/c",
    }


def test_an_array_of_tasks_that_counts_from_zero(here, model, capsys):
    assert main(["in", "--model", model, "--shard", "0/16"]) == 2
    assert "--array=1-16" in capsys.readouterr().err


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"retina-run {__version__}\n"


def test_help_fits_a_terminal_and_names_every_option(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    names = ("out", "save", "model", "device", "engine", "threshold", "overlap", "threads", "overwrite")
    for option in (*names, "quiet", "watch", "settle"):
        assert f"--{option}" in text
    assert "exit code: 0" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_examples_in_the_help_are_commands(capsys):
    main(["--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [shlex.split(line.split("   ")[0]) for line in lines if line.startswith("retina-run ")]
    assert len(examples) >= 3
    parsed = [_parsed(example[1:]) for example in examples]
    assert [options.inputs for options in parsed] == [
        ["scan.jpg"],
        ["scans/"],
        ["scans/**/left*.png"],
        ["shared/"],
        ["scans/"],
        ["s3://clinic/scans"],
    ]


def test_json_has_a_line_for_each_image_and_nothing_else_on_stdout(here, model, capsys):
    Path("in/empty.png").touch()
    image = np.array(Image.open("in/a.png"))
    Image.fromarray(np.hstack([image, image])).save("in/both.png")
    assert main(["in", "--model", model, "--save", "overlay", "--json"]) == 1
    said = capsys.readouterr()
    first = {line["path"]: line for line in map(json.loads, said.out.splitlines())}
    assert {name: line["status"] for name, line in first.items()} == {
        "a.png": "done",
        "b.jpg": "done",
        "both.png": "warning",
        "empty.png": "failed",
        "sub/c.tif": "done",
    }
    for line in first.values():
        assert sorted(line["pictures"]) == ([] if line["status"] == "failed" else ["overlay", "vessels"])
        assert all(Path(path).is_file() for path in [*line["pictures"].values(), line["file"]])
    assert "report: out/run.csv" in said.err.splitlines()
    assert main(["in", "--model", model, "--save", "overlay", "--json", "--quiet"]) == 1
    said = capsys.readouterr()
    again = {line["path"]: line for line in map(json.loads, said.out.splitlines())}
    kept = {name for name, line in again.items() if line["kept"]}
    assert kept == first.keys() - {"empty.png"}
    assert all(again[name] == first[name] | {"kept": True} for name in kept)
    assert again["empty.png"]["error"] == first["empty.png"]["error"]
    assert said.err == ""


def test_json_without_a_stdout_is_refused(here, model, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["in", "--model", model, "--json"]) == 2
    assert capsys.readouterr().err == "retina-run: --json writes to stdout, which is closed\n"


def test_a_reader_that_goes_away_ends_a_run_with_json(here, model, capsys, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    assert main(["in", "--model", model, "--json", "--quiet"]) == 128 + signal.SIGPIPE
    assert capsys.readouterr().err == ""


def shown(out: str = "out") -> dict[str, list]:
    """Give what report.html knows of the images."""
    text = Path(out, "report.html").read_text(encoding="utf-8")
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])["images"]


def picture_times(out: str = "out") -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path(out, "report").rglob("*.webp")}


def test_a_report_has_all_images_and_their_pictures(here, model, capsys):
    Path("in/bad.png").write_text("no image")
    assert main(["in", "--model", model, "--report"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "report: out/run.csv, out/report.html"
    assert shown()["name"] == ["a.png", "b.jpg", "bad.png", "sub/c.tif"]
    assert shown()["pictures"] == [2, 2, 0, 2]
    assert len(picture_times()) == 9


def test_a_report_resumes_like_other_pictures(here, model):
    assert main(["in", "--model", model]) == 0
    assert main(["in", "--model", model, "--report"]) == 0  # the pictures are missing
    before, vessels = picture_times(), Path("out/a_vessels.png").stat().st_mtime_ns
    assert len(before) == 9
    Path("out/report.html").unlink()
    assert main(["in", "--model", model, "--report"]) == 0
    assert picture_times() == before
    assert Path("out/a_vessels.png").stat().st_mtime_ns == vessels
    assert shown()["pictures"] == [2, 2, 2]
    Image.open("in/a.png").rotate(5).save("in/a.png")
    assert main(["in", "--model", model, "--report"]) == 0
    changed = {path for path, when in picture_times().items() if before[path] != when}
    assert len(changed) == 3
    assert main(["in", "--model", model, "--report", "--overwrite"]) == 0
    assert all(before[path] != when for path, when in picture_times().items())


def test_an_image_done_again_without_a_report_takes_it_away(here, model):
    assert main(["in", "--model", model, "--report"]) == 0
    assert main(["in", "--model", model]) == 0  # nothing is done again
    assert Path("out/report.html").exists()
    Image.open("in/a.png").rotate(5).save("in/a.png")
    assert main(["in", "--model", model]) == 0
    assert not Path("out/report.html").exists()
    assert len(picture_times()) == 6


def test_the_pictures_of_a_report_are_no_inputs(here, model, capsys):
    assert main(["in", "--model", model, "--out", "in/maps", "--report"]) == 0
    assert main(["in", "--model", model, "--out", "in/maps", "--report"]) == 0
    assert "3 images: 0 done, 3 kept from before\nskipped: " in capsys.readouterr().out


def test_names_can_be_hidden(here, model):
    assert main(["in", "--model", model, "--report", "--report-names", "hash"]) == 0
    with Path("out/report-names.csv").open(newline="", encoding="utf-8") as file:
        names = {row["name"]: row["path"] for row in csv.DictReader(file)}
    assert sorted(names.values()) == ["a.png", "b.jpg", "sub/c.tif"]
    assert (
        sorted(shown()["name"]) == sorted(names) == sorted(path.name for path in Path("out/report").iterdir())
    )
    given_away = Path("out/report.html").read_bytes() + b"".join(
        path.read_bytes() if path.is_file() else bytes(path) for path in Path("out/report").rglob("*")
    )
    assert b"c.tif" not in given_away
    assert b"b.jpg" not in given_away


def test_a_file_that_is_in_the_way_of_a_report_is_kept(here, model, capsys):
    Path("out").mkdir()
    Path("out/report.html").write_text("mine")
    assert main(["in", "--model", model, "--report"]) == 2
    assert capsys.readouterr().err == (
        "retina-run: 'out/report.html' is not from retina-run; move it away, choose another --out, "
        "or replace it with --overwrite\n"
    )
    assert main(["in", "--model", model, "--report", "--overwrite"]) == 0
    assert shown()["name"] == ["a.png", "b.jpg", "sub/c.tif"]


def test_names_of_a_report_need_a_report(here, model, capsys):
    assert main(["in", "--model", model, "--report-names", "hash"]) == 2
    assert "--report-names needs --report" in capsys.readouterr().err
