"""The image that an object is derived from: what its file declares that the object repeats or refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from retinagan.runtime.dicom.codes import SIDE_VALUES, SIDES, SOURCE_OF_PROCESSING, coded
from retinagan.runtime.dicom.elements import item, numbers, put, text, valid_text, values_of, whole_number
from retinagan.runtime.dicom.identity import uid_of
from retinagan.runtime.errors import ImageError

JPEG_METHOD = "ISO_10918_1"
_METHODS = {
    "1.2.840.10008.1.2.4.50": JPEG_METHOD,
    "1.2.840.10008.1.2.4.51": JPEG_METHOD,
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
}  # lossy compression by transfer syntax
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_DIRECTIONS = re.compile(r"[APRLHF]{1,3}")
_SINGLE_FRAME = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.77.1.4")
_LONGEST_DISTANCE = 100.0  # mm between pixels; more is a mistake


@dataclass(frozen=True)
class Source:
    """One frame of a DICOM image.

    Attributes
    ----------
    header : Dataset
        The file's attributes, `retinagan.runtime.dicom.header.WANTED` of them at least.
    frame, frames : int
        Number of the frame from 1, and how many the image has.
    sop_class, sop_instance, study, series : str
        Its UIDs.
    """

    header: Dataset
    frame: int
    frames: int
    sop_class: str
    sop_instance: str
    study: str
    series: str

    @classmethod
    def of(cls, header: Dataset, frame: int = 1) -> Source:
        """Return the source of a file's attributes.

        A file that declares no study or no series gets UIDs for them that follow from its own.

        Raises
        ------
        ImageError
            If nothing can refer to the image, since it declares no valid SOP Class or SOP Instance UID.
        """
        meta = getattr(header, "file_meta", Dataset())
        sop_class = valid_text(header, "SOPClassUID") or valid_text(meta, "MediaStorageSOPClassUID")
        sop_instance = valid_text(header, "SOPInstanceUID")
        for name, value in (("SOP Class UID", sop_class), ("SOP Instance UID", sop_instance)):
            if not value:
                raise ImageError(
                    f"the DICOM file declares no valid {name}, so that no DICOM result can refer to it; "
                    "export it again, or leave the dicom kinds out of --save"
                )
        return cls(
            header=header,
            frame=frame,
            frames=max(frame, whole_number(header, "NumberOfFrames") or 1),
            sop_class=sop_class,
            sop_instance=sop_instance,
            study=text(header, "StudyInstanceUID") or uid_of("study", sop_instance),
            series=text(header, "SeriesInstanceUID") or uid_of("series", sop_instance),
        )

    @property
    def declares_study(self) -> bool:
        """Whether the file declares study and series."""
        return bool(text(self.header, "StudyInstanceUID") and text(self.header, "SeriesInstanceUID"))

    @property
    def laterality(self) -> str:
        """``"R"`` or ``"L"``; empty if the file does not tell the eye, or tells both."""
        declared = [text(self.header, "ImageLaterality"), text(self.header, "Laterality")]
        declared += [text(anatomy, "FrameLaterality") for anatomy in self._in_groups("FrameAnatomySequence")]
        declared += list(_coded_sides(self.header))
        return next((side for side in declared if side in SIDES), "")

    @property
    def patient_orientation(self) -> list[str]:
        """Directions of the rows and of the columns; empty if they are not declared."""
        directions = [str(direction) for direction in values_of(self.header, "PatientOrientation")]
        valid = len(directions) == 2 and all(_DIRECTIONS.fullmatch(direction) for direction in directions)
        return directions if valid else []

    @property
    def pixel_spacing(self) -> tuple[float, float] | None:
        """Distance of rows and of columns in mm, nominal on the retina; None if it is not declared."""
        for group in (self.header, *self._in_groups("PixelMeasuresSequence")):
            spacing = numbers(group, "PixelSpacing")
            if len(spacing) == 2 and all(0 < distance < _LONGEST_DISTANCE for distance in spacing):
                return spacing[0], spacing[1]
        return None

    @property
    def lossy_compression(self) -> tuple[list[float], list[str]]:
        """Ratios and methods of the lossy compression that the image went through; empty if it did not.

        The ratios are empty where the file does not declare them.
        """
        method = _METHODS.get(text(getattr(self.header, "file_meta", Dataset()), "TransferSyntaxUID"))
        if method is None and text(self.header, "LossyImageCompression") != "01":
            return [], []
        methods = [str(name) for name in values_of(self.header, "LossyImageCompressionMethod")]
        valid = methods and all(_CODE.fullmatch(name) for name in methods)
        ratios = numbers(self.header, "LossyImageCompressionRatio")
        return ratios, methods if valid else [method or JPEG_METHOD]

    def reference(self) -> Dataset:
        """Return the item that refers to this frame (Image SOP Instance Reference Macro, PS3.3 10.3).

        A class of single frames forbids a frame's number. Where a file holds several all the same, the number
        is given for those after the first.
        """
        made = item(ReferencedSOPClassUID=self.sop_class, ReferencedSOPInstanceUID=self.sop_instance)
        numbered = self.frame > 1 if self.sop_class in _SINGLE_FRAME else self.frames > 1
        return put(made, ReferencedFrameNumber=self.frame) if numbered else made

    def reference_as_source(self) -> Dataset:
        """Return `reference` with its purpose, and that pixels are in the same places."""
        return put(
            self.reference(),
            PurposeOfReferenceCodeSequence=coded(SOURCE_OF_PROCESSING),
            SpatialLocationsPreserved="YES",
        )

    def _in_groups(self, sequence: str) -> Iterator[Dataset]:
        """Yield a functional group's items: shared ones, then those of this frame."""
        shared = values_of(self.header, "SharedFunctionalGroupsSequence")[:1]
        own = values_of(self.header, "PerFrameFunctionalGroupsSequence")[self.frame - 1 : self.frame]
        for groups in shared + own:
            yield from values_of(groups, sequence)


def _coded_sides(header: Dataset) -> Iterator[str]:
    for region in values_of(header, "AnatomicRegionSequence"):
        for modifier in values_of(region, "AnatomicRegionModifierSequence"):
            yield SIDE_VALUES.get(text(modifier, "CodeValue"), "")
