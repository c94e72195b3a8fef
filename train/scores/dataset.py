"""Score a model's maps of one dataset against the experts', and compare them with another model's."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from retinagan.runtime.errors import OptionError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.description import Description
from retinagan.train.data.files import TEST, TRAINING, Dataset, find_dataset, folder_name
from retinagan.train.data.given import ASSUMED, KNOWN
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.comparison import Difference, differences
from retinagan.train.scores.evaluation import Measured, Row, inside_fov, measure, score
from retinagan.train.scores.files import as_entry, row_entries
from retinagan.train.scores.prediction import Predict, Predictor

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Threshold:
    """How maps find their threshold (pixels at or above it count as vessel), and its origin as text."""

    thresholding: Thresholding
    origin: str

    @classmethod
    def of(cls, predictor: Predictor) -> Threshold:
        """Return what a model has, or the default if it has nothing."""
        own = predictor.thresholding
        if own is None:
            origin = "the default; --threshold training chooses on training images"
            return cls(Thresholding(DEFAULT_THRESHOLD), origin)
        return cls(own, "the model's own" if own.rule is None else "each map's own, by the model's rule")

    @classmethod
    def one_of(cls, predictor: Predictor) -> Threshold:
        """Return a model's one threshold for all maps, or the default if it has none."""
        own = cls.of(predictor)
        if own.thresholding.rule is None:
            return own
        return cls.fixed(own.thresholding.fixed, "the model's, the same for all maps")

    @classmethod
    def fixed(cls, value: float, origin: str) -> Threshold:
        """Return one threshold for all maps."""
        return cls(Thresholding(value), origin)

    def told(self, measured: list[Measured]) -> str:
        """Return the thresholds of images and their origin as text."""
        low, high = (f"{end([image.threshold for image in measured]):.4g}" for end in (min, max))
        return f"threshold {low if low == high else f'{low} to {high}'}: {self.origin}"

    def facts(self, measured: list[Measured]) -> dict[str, Any]:
        """Return the thresholds of images and their origin as plain types for JSON."""
        facts: dict[str, Any] = {"threshold": self.thresholding.fixed, "threshold_from": self.origin}
        if self.thresholding.rule is not None:
            facts["thresholds"] = {image.name: image.threshold for image in measured}
        return facts


@dataclass(frozen=True)
class Comparison:
    """A model's scores minus another's on the same images.

    Attributes
    ----------
    other : Predictor
        The other model.
    threshold : Threshold
        The threshold of the other model.
    measured : list of Measured
        The other model's counts of each image.
    differences : list of Difference
        One for each region.
    """

    other: Predictor
    threshold: Threshold
    measured: list[Measured]
    differences: list[Difference]

    def facts(self) -> dict[str, Any]:
        """Return the comparison as plain types for JSON."""
        return {
            "predictor": self.other.description,
            **self.threshold.facts(self.measured),
            "differences": [as_entry(one) for one in self.differences],
        }


@dataclass(frozen=True)
class Task:
    """What to score: images of a dataset, at the camera's angle or at the model's assumption.

    Attributes
    ----------
    data : str
        The dataset's folder.
    dataset : Dataset
        The samples found there.
    split : {"training", "test", "all"}
        The part of the dataset that the samples are.
    angle : {"known", "assumed"}
    quiet : bool
        Whether to hide the progress bar.
    given : Description
        What the command line states about the dataset.
    """

    data: str
    dataset: Dataset
    split: str = TEST
    angle: str = KNOWN
    quiet: bool = False
    given: Description = field(default_factory=Description)

    def for_training(self) -> Task:
        """Return the same task for the dataset's training images.

        Raises
        ------
        OptionError
            If images to score are among them, unless `split` is "training".
        """
        samples = find_dataset(self.data, TRAINING, self.given).samples
        scored = {one.image for one in self.dataset.samples}
        if self.split != TRAINING and {one.image for one in samples} & scored:
            raise OptionError(
                f"--threshold training: images to score are training images of {self.data}, so they "
                "would choose their own threshold; give a number, or leave it out for the model's own"
            )
        return dataclasses.replace(self, dataset=dataclasses.replace(self.dataset, samples=samples))

    def images(self) -> Iterator[LabelledImage]:
        """Read the images one by one, so that only one is in memory."""
        for sample in tqdm(self.dataset.samples, unit="image", disable=self.quiet or not sys.stderr.isatty()):
            image = load_labelled(sample)
            yield dataclasses.replace(image, field_of_view=None) if self.angle == ASSUMED else image

    def angle_told(self, predictor: Predictor) -> str:
        """Return the angle that scaled the images, as text; empty if the model has a fixed working size."""
        if not predictor.takes_angle:
            return ""
        known = {sample.field_of_view for sample in self.dataset.samples}
        if self.angle == ASSUMED or known == {None}:
            return f"{predictor.assumed_angle:g} degrees, assumed by the model"
        degrees = ", ".join(f"{angle:g}" for angle in sorted(angle for angle in known if angle is not None))
        unknown = f"; {predictor.assumed_angle:g} where it is not known" if None in known else ""
        return f"{degrees} degrees, known of the dataset{unknown}"


@dataclass(frozen=True)
class Evaluation:
    """The result of scoring one dataset.

    Attributes
    ----------
    task : Task
    predictor : Predictor
    threshold : Threshold
    measured : list of Measured
        Counts of each image.
    rows : list of Row
        Scores.
    comparison : Comparison or None
        Comparison with another model.
    """

    task: Task
    predictor: Predictor
    threshold: Threshold
    measured: list[Measured]
    rows: list[Row]
    comparison: Comparison | None = None

    @property
    def data(self) -> str:
        """The dataset's name, which is its folder's."""
        return folder_name(self.task.data)

    def known_images(self, predictor: Predictor) -> str:
        """Return how many images a model was trained or held out with, as text; empty if none."""
        known = sum(predictor.trained_on(self.data, sample.name) for sample in self.task.dataset.samples)
        return f"; {known} of these trained the model or chose its threshold" if known else ""

    def facts(self) -> dict[str, Any]:
        """Return the evaluation as plain types for JSON, with all rows."""
        facts: dict[str, Any] = {
            "data": self.data,
            "scored": self.task.dataset.description,
            "images": len(self.task.dataset.samples),
            "angle": self.task.angle_told(self.predictor),
            **self.threshold.facts(self.measured),
        }
        if self.comparison is not None:
            facts["against"] = self.comparison.facts()
        return {**facts, "rows": row_entries(self.rows)}


def evaluate_dataset(
    task: Task,
    predictor: Predictor,
    threshold: Threshold,
    *,
    other: tuple[Predictor, Threshold] | None = None,
    panels: Path | None = None,
) -> Evaluation:
    """Score a model on a dataset.

    Parameters
    ----------
    task : Task
    predictor : Predictor
        The model.
    threshold : Threshold
        Threshold for its maps.
    other : (Predictor, Threshold), optional
        A model to compare it with, and the threshold for its maps.
    panels : Path, optional
        An existing folder for a panel of each image.
    """
    predict = predictor.predict
    if panels is not None:
        predict = _drawing_panels(predict, threshold.thresholding, panels)
    measured = list(measure(predict, task.images(), threshold.thresholding))
    comparison = None
    if other is not None:
        rival, theirs = other
        counted = list(measure(rival.predict, task.images(), theirs.thresholding))
        comparison = Comparison(rival, theirs, counted, differences(measured, counted))
    return Evaluation(task, predictor, threshold, measured, score(measured), comparison)


def threshold_from_training(task: Task, predictor: Predictor) -> Threshold:
    """Return the threshold with the largest Dice inside the FOV on a dataset's training images."""
    training = task.for_training()
    histogram = inside_fov(predictor.predict, training.images())
    where = f"on {len(training.dataset.samples)} training images of {folder_name(task.data)}"
    return Threshold.fixed(histogram.best_threshold(), f"the largest Dice inside the FOV {where}")


def _drawing_panels(predict: Predict, thresholding: Thresholding, folder: Path) -> Predict:
    """Return a function that predicts and also draws each image's panel, so that no map is kept."""
    from retinagan.train.scores.figures import draw_panel  # imports matplotlib, which only figures need

    def predict_and_draw(image: LabelledImage) -> Any:
        probability = predict(image)
        panel = folder / f"{image.name}.png"
        panel.parent.mkdir(parents=True, exist_ok=True)  # the name of an image may begin with folders
        threshold = thresholding.of_map(probability)
        draw_panel(image.image, image.truth, probability, threshold, panel)
        return probability

    return predict_and_draw
