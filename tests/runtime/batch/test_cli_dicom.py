"""`retina-run` on DICOM files: what it reads of them, and the objects that it writes."""

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import PATIENT, dicom_dataset, dicom_file
from dicom_sources import as_file, drawn_source
from dicom_tools import contradictions_among, errors_in
from drawn_retina import drawn_retina
from PIL import Image
from run_folder import angles, pictures, rows

from retinagan.runtime.batch import drawing
from retinagan.runtime.batch.cli import main


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
