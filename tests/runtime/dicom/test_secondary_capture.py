import numpy as np
import pytest
from dicom_sources import SOURCES, as_file, drawn_source, reread
from dicom_tools import contradictions_among, errors_in
from drawn_retina import drawn_retina

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.secondary_capture import overlay_capture
from retinagan.runtime.dicom.source import Source

ALGORITHM = Algorithm("retina-gan", "ab" * 32, "0.3.0", 0.4375)
OVERLAY = drawn_retina(91, 101)[0]


@pytest.mark.parametrize("name", SOURCES)
def test_validators_find_no_error(name, tmp_path):
    made = SOURCES[name]()
    paths = [tmp_path / "source.dcm"]
    paths[0].write_bytes(as_file(made))
    for lossy in (True, False):
        paths.append(tmp_path / f"{lossy}.dcm")
        paths[-1].write_bytes(
            as_file(overlay_capture(Source.of(reread(made)), OVERLAY, ALGORITHM, lossy=lossy))
        )
        assert errors_in(paths[-1]) == []
    assert contradictions_among(paths if name != "nothing but pixels" else paths[1:]) == []


def test_the_exact_overlay_comes_back():
    made = overlay_capture(Source.of(drawn_source()), OVERLAY, ALGORITHM, lossy=False)
    assert made.PhotometricInterpretation == "RGB"
    np.testing.assert_array_equal(reread(made).pixel_array, OVERLAY)


def test_jpeg_comes_back_in_its_colours():
    made = overlay_capture(Source.of(drawn_source()), OVERLAY, ALGORITHM)
    shown = reread(made).pixel_array.astype(int)
    inside = OVERLAY.max(axis=2) > 100
    assert np.abs(shown - OVERLAY)[inside].mean() < 8
    assert len(made.PixelData) < OVERLAY.nbytes / 3


def test_the_two_forms_are_two_objects():
    source = Source.of(drawn_source())
    made = [overlay_capture(source, OVERLAY, ALGORITHM, lossy=lossy) for lossy in (True, False)]
    assert made[0].SOPInstanceUID != made[1].SOPInstanceUID


def test_it_is_derived_from_the_frame_and_of_its_modality():
    made = overlay_capture(Source.of(drawn_source(frames=3), 2), OVERLAY, ALGORITHM)
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert made.Modality == "OP"
    assert made.SourceImageSequence[0].ReferencedFrameNumber == 2
    assert made.PixelSpacing == [0.0081, 0.0081]


@pytest.mark.parametrize("modality", ["", "fundus photo"])
def test_a_modality_that_is_none_is_other(modality):
    source = drawn_source()
    del source.Modality
    if modality:
        source.add_new("Modality", "LO", modality)
    assert overlay_capture(Source.of(source), OVERLAY, ALGORITHM).Modality == "OT"
