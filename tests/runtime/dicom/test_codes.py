from pydicom.sr.codedict import codes

from retinagan.runtime.dicom import codes as own
from retinagan.runtime.dicom.codes import Code, coded


def test_codes_are_those_of_the_dictionary():
    for code, known in (
        (own.BLOOD_VESSEL, codes.SCT.BloodVessel),
        (own.ANATOMICAL_STRUCTURE, codes.SCT.AnatomicalStructure),
        (own.RETINA, codes.SCT.Retina),
        (own.SIDES["R"], codes.SCT.Right),
        (own.SIDES["L"], codes.SCT.Left),
        (own.ARTIFICIAL_INTELLIGENCE, codes.DCM.ArtificialIntelligence),
        (own.SOURCE_OF_PROCESSING, codes.DCM.SourceImageForImageProcessingOperation),
    ):
        assert (code.value, code.scheme) == (known.value, known.scheme_designator)
        assert code.meaning.lower() == known.meaning.lower()


def test_a_code_is_the_one_item_of_a_sequence():
    (item,) = coded(Code("1", "UCUM", "no units"), CodingSchemeVersion="2")
    assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == ("1", "UCUM", "no units")
    assert item.CodingSchemeVersion == "2"


def test_sides_are_known_in_old_codes_too():
    assert own.SIDE_VALUES["24028007"] == own.SIDE_VALUES["G-A100"] == "R"
    assert own.SIDE_VALUES["7771000"] == own.SIDE_VALUES["G-A101"] == "L"
