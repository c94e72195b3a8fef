"""What an object inherits: the patient and the study of its source, unchanged, in the source's characters."""

from collections.abc import Iterator

from pydicom.charset import convert_encodings, python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from retinagan.runtime.dicom.elements import element_of, encodings_of, put, values_of

_EMPTY_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)  # Type 2 of PS3.3 C.7.1.1 and C.7.2.1

INHERITED = (
    *_EMPTY_IF_UNKNOWN,
    # Patient (C.7.1.1)
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "SourcePatientGroupIdentificationSequence",
    "GroupOfPatientsIdentificationSequence",
    "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar",
    "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar",
    "QualityControlSubject",
    "ReferencedPatientSequence",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientComments",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "StrainDescription",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    # General Study and Patient Study (C.7.2.1, C.7.2.2)
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence",
    "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence",
    "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence",
    "RequestingService",
    "RequestingServiceCodeSequence",
    "ReferencedStudySequence",
    "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientBodyMassIndex",
    "PatientSizeCodeSequence",
    "MedicalAlerts",
    "Allergies",
    "SmokingStatus",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientState",
    "Occupation",
    "AdditionalPatientHistory",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "IssuerOfServiceEpisodeIDSequence",
    "ServiceEpisodeDescription",
    "PatientSexNeutered",
    # Clinical Trial Subject and Study (C.7.1.3, C.7.2.3)
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalInformationModified",
    "ConsentForClinicalTrialUseSequence",
    # SOP Common (C.12.1): the time zone of the study's times
    "TimezoneOffsetFromUTC",
)
"""Keywords of the attributes that are copied where the source has them."""

_UNICODE = "ISO_IR 192"


def inherited(header: Dataset) -> Dataset:
    """Return a new dataset with the patient and the study of a file.

    Values are copied whether or not they are valid: an archive matches objects by them. The character set
    stays the source's, so that each text keeps its bytes; it is Unicode (UTF-8) where the source's own does
    not have all of its characters.

    Parameters
    ----------
    header : Dataset
        The source's attributes.
    """
    made = Dataset()
    for keyword in _EMPTY_IF_UNKNOWN:
        put(made, **{keyword: None})
    encodings = encodings_of(header)
    for keyword in INHERITED:
        element = element_of(header, keyword, encodings)
        if element is not None:
            made.add(_copied(element, encodings))
    names = character_set(header, made)
    return put(made, SpecificCharacterSet=names) if names else made


def character_set(header: Dataset, made: Dataset) -> list[str]:
    """Return the Specific Character Set for the texts of `made`: that of `header` if it has their characters.

    Empty for the default, which is ASCII.
    """
    used = {character for text in _texts(made) for character in text if not character.isascii()}
    names = [str(name or "") for name in values_of(header, "SpecificCharacterSet")]
    if not used and not any(names):
        return []
    if any(names) and all(name in python_encoding for name in names):
        encodings = convert_encodings(names)
        if all(any(_has(encoding, character) for encoding in encodings) for character in used):
            return names
    return [_UNICODE] if used else []


def _copied(element: DataElement, encodings: list[str]) -> DataElement:
    """Return a copy without the encoding that its file had; `encodings` are those of texts in a sequence."""
    if element.VR != "SQ":
        return DataElement(element.tag, element.VR, element.value, already_converted=True)
    items = []
    for one in element.value:
        own = encodings_of(one, encodings)
        copies = (element_of(one, keyword, own) for keyword in one.dir())  # neither private nor unknown ones
        items.append(Dataset())
        for copy in copies:
            if copy is not None and copy.keyword != "SpecificCharacterSet":
                items[-1].add(_copied(copy, own))
    return DataElement(element.tag, "SQ", items)


def _texts(dataset: Dataset) -> Iterator[str]:
    """Yield the texts whose bytes depend on the character set."""
    for element in dataset:
        if element.VR == "SQ":
            for one in element.value:
                yield from _texts(one)
        elif element.VR in CUSTOMIZABLE_CHARSET_VR and element.value is not None:
            values = [element.value] if element.VM < 2 else element.value
            yield from (str(value) for value in values)


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
