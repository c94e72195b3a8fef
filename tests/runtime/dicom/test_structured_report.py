import pytest
from dicom_sources import SOURCES, as_file, drawn_source, reread
from dicom_tools import contradictions_among, errors_in, printed

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.source import Source
from retinagan.runtime.dicom.structured_report import (
    AREA,
    FRACTAL_DIMENSION,
    RATIO,
    SQUARE_MILLIMETRES,
    VESSEL_DENSITY,
    Measure,
    measurement_report,
)

ALGORITHM = Algorithm("retina-gan", "ab" * 32, "0.3.0", 0.4375, engine="OpenVINO on CPU")
MEASURES = (
    Measure(VESSEL_DENSITY, 0.08125, RATIO),
    Measure(AREA, 31.25, SQUARE_MILLIMETRES),
    Measure(FRACTAL_DIMENSION, 1.4375, RATIO),
)


def report_of(made, frame=1, measures=MEASURES):
    return measurement_report(Source.of(reread(made), frame), measures, ALGORITHM)


@pytest.mark.parametrize("name", SOURCES)
def test_validators_find_no_error(name, tmp_path):
    made = SOURCES[name]()
    paths = [tmp_path / "source.dcm", tmp_path / "report.dcm"]
    for path, content in zip(paths, (made, report_of(made)), strict=True):
        path.write_bytes(as_file(content))
    assert errors_in(paths[1]) == []
    assert contradictions_among(paths if name != "nothing but pixels" else paths[1:]) == []


def test_dsrdump_reads_it(tmp_path):
    (tmp_path / "a.dcm").write_bytes(as_file(report_of(drawn_source())))
    shown = printed("dsrdump", "+Pl", "--print-all-codes", tmp_path / "a.dcm")
    assert 'NUM:(126050,DCM,"Fractal Dimension")="1.4375" (1,UCUM,"no units")' in shown
    assert 'NUM:(42798000,SCT,"Area")="31.25" (mm2,UCUM,"mm2")' in shown
    assert 'NUM:(VESSEL_DENSITY,99RETINAGAN,"Vessel area as a share of the retina\'s")="0.08125"' in shown
    assert not [line for line in shown.splitlines() if line.startswith(("E:", "W:"))]


@pytest.mark.parametrize("frame", [1, 2])
def test_highdicom_finds_the_measures_and_their_image(frame):
    highdicom = pytest.importorskip("highdicom")
    made = drawn_source(frames=2)
    report = highdicom.sr.ComprehensiveSR.from_dataset(reread(report_of(made, frame)))
    (group,) = report.content.get_image_measurement_groups()
    found = {item.name.value: (item.value, item.unit.value) for item in group.get_measurements()}
    assert found == {
        "VESSEL_DENSITY": (0.08125, "1"),
        "42798000": (31.25, "mm2"),
        "126050": (1.4375, "1"),
    }
    assert group.finding_type.value == "59820001"
    assert group.finding_category.value == "91723000"
    (site,) = group.finding_sites
    assert (site.topographical_modifier, site.laterality.value) == (None, "24028007")
    assert group.source_images[0].referenced_sop_instance_uid == made.SOPInstanceUID
    assert group.source_images[0].referenced_frame_numbers == [frame]


def test_our_own_code_is_declared_where_it_is_used():
    report = report_of(drawn_source())
    declared = report.CodingSchemeIdentificationSequence[0]
    assert declared.CodingSchemeDesignator == "99RETINAGAN"
    assert declared.CodingSchemeResponsibleOrganization == "Retina-GAN"
    assert "CodingSchemeIdentificationSequence" not in report_of(drawn_source(), measures=MEASURES[1:])


def test_it_rests_on_the_source_alone():
    made = drawn_source()
    (evidence,) = report_of(made).CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == made.StudyInstanceUID
    series = evidence.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == made.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == made.SOPInstanceUID


def test_what_observed_is_a_device_with_the_model_s_hash():
    content = report_of(drawn_source()).ContentSequence
    texts = {item.ConceptNameCodeSequence[0].CodeValue: item for item in content}
    assert texts["121005"].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert texts["121016"].TextValue == "ab" * 32
