from retinagan.runtime.dicom.codes import Code
from retinagan.runtime.dicom.content import (
    CONTAINS,
    CONTEXT,
    MODIFIER,
    code_item,
    container,
    image_item,
    number_item,
    text_item,
    uid_item,
)
from retinagan.runtime.dicom.elements import item

NAME, VALUE = Code("1", "A", "name"), Code("2", "B", "value")


def test_every_item_has_its_relation_kind_and_name():
    made = [
        (container(NAME), CONTAINS, "CONTAINER"),
        (code_item(MODIFIER, NAME, VALUE), MODIFIER, "CODE"),
        (text_item(CONTEXT, NAME, "words"), CONTEXT, "TEXT"),
        (uid_item(CONTEXT, NAME, "1.2"), CONTEXT, "UIDREF"),
        (number_item(NAME, 0.5, VALUE), CONTAINS, "NUM"),
        (image_item(NAME, item(ReferencedSOPInstanceUID="1.2")), CONTAINS, "IMAGE"),
    ]
    for content, relation, kind in made:
        assert (content.RelationshipType, content.ValueType) == (relation, kind)
        assert content.ConceptNameCodeSequence[0].CodeMeaning == "name"
        assert "ContentSequence" not in content


def test_a_number_has_six_digits_and_its_unit():
    measured = number_item(NAME, 12345.678901, VALUE).MeasuredValueSequence[0]
    assert measured.NumericValue == 12345.7
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "2"


def test_a_container_names_its_template_and_holds_its_children():
    made = container(NAME, "1500", [text_item(CONTAINS, NAME, "below")])
    template = made.ContentTemplateSequence[0]
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "1500")
    assert made.ContentSequence[0].TextValue == "below"
    coded = code_item(MODIFIER, NAME, VALUE, [text_item(CONTAINS, NAME, "below")])
    assert coded.ContentSequence[0].TextValue == "below"
