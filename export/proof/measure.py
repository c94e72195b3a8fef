"""The proof of a model: its maps compared with FP32's inside the FOV, by the runtime's own code.

Needs NumPy and an engine to run the model, but neither torch nor onnx.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retinagan.export.proof.agreement import Agreement
from retinagan.export.proof.images import ProofImage, named
from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.errors import ImageError
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.prepare import Prepared, prepare
from retinagan.runtime.steps.rim import with_rim
from retinagan.runtime.steps.segment import Network, segment_square

if TYPE_CHECKING:
    from retinagan.train.scores.metrics import Histogram

_SCORES = {"auc": "auc", "dice": "dice", "acc": "accuracy", "sen": "sensitivity", "spe": "specificity"}


@dataclass
class Measurement:
    """Results of one candidate on a set of images.

    Attributes
    ----------
    agreement : Agreement
        With FP32's maps.
    truth : Histogram or None
        Against the experts' maps, pooled; None if there are none.
    """

    agreement: Agreement
    truth: "Histogram | None" = None


def measure(
    images: Iterable[ProofImage],
    spec: ModelSpec,
    reference: EngineAdapter | None,
    candidates: Sequence[EngineAdapter],
) -> tuple[list[Measurement], "Histogram | None"]:
    """
    Run candidates and FP32 on images, one image at a time.

    Parameters
    ----------
    images : iterable of ProofImage
    spec : ModelSpec
        FP32's spec: how images are prepared and cut, and the operating threshold.
    reference : EngineAdapter or None
        FP32; None if each image has its `expected` map.
    candidates : sequence of EngineAdapter

    Returns
    -------
    list of Measurement
        One for each candidate, in order.
    Histogram or None
        FP32's own maps against the experts'; None if there are none.

    Raises
    ------
    ParityError
        If a map contains NaN or infinity.
    ImageError
        If an image shows no retina; the message names it.
    """
    measurements = [Measurement(Agreement(spec.threshold)) for _ in candidates]
    reference_truth: Histogram | None = None
    for image in images:
        frame = prepared(image, spec)
        expected = image.expected if reference is None else probability_map(reference, frame, spec)
        assert expected is not None
        region = with_rim(frame.retina, frame.crop) if image.fov is None else image.fov
        for candidate, measurement in zip(candidates, measurements, strict=True):
            found = probability_map(candidate, frame, spec)
            measurement.agreement.add(expected, found, region, candidate.description)
            if image.truth is not None:
                measurement.truth = _pooled(measurement.truth, found, image.truth, region)
        if image.truth is not None:
            reference_truth = _pooled(reference_truth, expected, image.truth, region)
    return measurements, reference_truth


def probability_map(adapter: EngineAdapter, prepared: Prepared, spec: ModelSpec) -> NDArray[np.float32]:
    """Return the probability of a prepared frame at its own size, (H, W), as `Segmenter` does."""
    return segment_square(prepared, spec.tiling, Network(adapter.infer, spec.network_input)).probability


def record_of(
    measurement: Measurement, threshold: float, reference_truth: "Histogram | None"
) -> dict[str, Any]:
    """
    Return what a proof records about a candidate on a set of images, as JSON values.

    Parameters
    ----------
    measurement : Measurement
    threshold : float
        The candidate's operating threshold.
    reference_truth : Histogram or None
        FP32's maps against the experts'.
    """
    agreement = measurement.agreement
    record: dict[str, Any] = {
        "images": agreement.images,
        "max_abs_difference": agreement.largest,
        "mean_abs_difference": agreement.mean,
        "map_dice": agreement.dice(threshold),
    }
    if measurement.truth is not None and reference_truth is not None:
        record["scores"] = _scores(measurement.truth, threshold)
        record["reference_scores"] = _scores(reference_truth, agreement.threshold)
    return record


def prepared(image: ProofImage, spec: ModelSpec) -> Prepared:
    """Prepare an image; an `ImageError` names it."""
    try:
        return prepare(image.pixels, spec.preprocessing)
    except ImageError as error:
        raise named(error, image.name) from error


def _pooled(
    before: "Histogram | None",
    probability: NDArray[np.float32],
    truth: NDArray[np.bool_],
    region: NDArray[np.bool_],
) -> "Histogram":
    from retinagan.train.scores.metrics import Histogram  # needs scikit-learn, which is not on a device

    histogram = Histogram.of(probability, truth, region)
    return histogram if before is None else Histogram.pooled([before, histogram])


def _scores(histogram: "Histogram", threshold: float) -> dict[str, float | None]:
    scores = histogram.scores(threshold)
    values = {short: float(getattr(scores, name)) for short, name in _SCORES.items()}
    return {short: value if np.isfinite(value) else None for short, value in values.items()}
