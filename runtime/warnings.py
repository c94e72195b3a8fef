"""Warnings about an image or its result: a short code for programs, a sentence for users."""

from __future__ import annotations

from dataclasses import dataclass

SENTENCES = {
    # The file
    "bit-depth-guessed": "the file does not declare how many of its 16 bits are in use",
    "first-of-several-frames": "the file holds several images; only one of them is segmented",
    "colours-guessed": "the file contradicts itself on how its colours are stored; black tells",
    "field-of-view-implausible": "the file declares an angle that no fundus camera has; it is not used",
    "wide-field": "the file declares a wider angle than the models are made for",
    "pixel-spacing-implausible": "the file declares a pixel spacing that no retina fits; it is not used",
    "pixels-not-square": "the file declares pixels that are not square; the map is made as if they were",
    "dicom-study-missing": "the file names no study or series; its DICOM results are put into new ones",
    # The picture
    "several-fields-of-view": "the picture holds more than one retina",
    "whole-frame-as-retina": "no fundus disc was found; the whole frame is treated as retina",
    "retina-incomplete": "part of the retina is covered, cut off by a bar, or missing from the picture",
    "negative": "vessels are brighter than their surroundings: this looks like a negative or an angiogram",
    "few-grey-levels": "the retina's detail spans few grey levels; it is much too dark or too bright",
    "overexposed": "part of the retina is as bright as the picture can be",
    "scrambled": "colours change from pixel to pixel, as where the data of the picture are damaged",
    "preprocessed": "the picture was filtered before: its light is even, or its local contrast enhanced",
    "blurred": "the picture has no fine detail: it is out of focus or was enlarged; thin vessels are missed",
    "writing-on-retina": "letters or lines are drawn on the retina; their strokes may count as vessels",
    # The result
    "coarse-scale": "the network sees the vessels at less than half the density that it was made for",
    "density-implausible": "the share of vessel pixels is outside what fundus images show",
    "low-confidence": "the vessel map is likely to be less accurate than this model usually is",
}
"""Each warning code with its sentence, used where the place that warns has nothing more exact to say."""


@dataclass(frozen=True)
class ImageWarning:
    """A doubt about one image; the image is processed all the same.

    Parameters
    ----------
    code : str
        One of `SENTENCES`: lower case, words joined by hyphens. Codes are stable, programs may match them.
    message : str
        One sentence for users, with the values found, without the image's name.
        Empty for the sentence that `SENTENCES` has.

    Raises
    ------
    ValueError
        If the code is not in `SENTENCES`.
    """

    code: str
    message: str = ""

    def __post_init__(self) -> None:
        if self.code not in SENTENCES:
            raise ValueError(
                f"unknown warning code {self.code!r}; expected one of {', '.join(sorted(SENTENCES))}"
            )
        if not self.message:
            object.__setattr__(self, "message", SENTENCES[self.code])

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
