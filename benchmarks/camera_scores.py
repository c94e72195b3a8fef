"""Scores of models on the test images of a camera that they saw, and of one that they did not.

`cameras.py` trains the models. Pixels are counted inside the FOV at native size and pooled over a dataset's
images. The counts of each image are kept in a folder, so that none is segmented twice by one model.
"""

import csv
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.atomic import written_atomically
from retinagan.train.data.description import Description
from retinagan.train.data.files import TEST, Sample, find_dataset
from retinagan.train.data.given import ASSUMED, KNOWN
from retinagan.train.data.images import load_labelled
from retinagan.train.scores.bootstrap import LEVEL, RESAMPLES, SEED, ends, interval, resample
from retinagan.train.scores.comparison import Gain
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.metrics import Histogram, Scores
from retinagan.train.scores.prediction import Predictor, open_predictor

HEADER = """\
| camera | angle | never seen: AUC | Dice | best Dice | seen: AUC | Dice | best Dice | lost AUC | lost Dice |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


@dataclass(frozen=True)
class Camera:
    """The test images of one dataset."""

    name: str
    samples: list[Sample]

    @classmethod
    def of(cls, folder: str, name: str, stated: Description) -> "Camera":
        """Find the test images of a folder, of which more may be stated than its layout says."""
        return cls(name, find_dataset(folder, TEST, stated).samples)

    def angles(self, predictor: Predictor) -> dict[str, str]:
        """Return the ways to set the angle that differ for a model, with the angle in words."""
        known = sorted({sample.field_of_view for sample in self.samples} - {None})
        told = {}
        if known and predictor.takes_angle:
            told[KNOWN] = f"{', '.join(f'{angle:g}' for angle in known)} degrees, known"
        if predictor.takes_angle and known != [predictor.assumed_angle]:
            told[ASSUMED] = f"{predictor.assumed_angle:g} degrees, assumed"
        return told or {KNOWN: "one working size"}


@dataclass(frozen=True)
class Counted:
    """What one model does on one camera at one angle: the pixels of each image inside the FOV."""

    angle: str
    counts: list[MapCounts]

    @property
    def scores(self) -> Scores:
        """Scores of all pixels at the maps' own thresholds."""
        return MapCounts.pooled(self.counts).scores()

    @cached_property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """Scores of resamples of the images, the same resamples for all models."""
        return resample(self.counts)

    @property
    def best_dice(self) -> float:
        """The Dice of all pixels at the threshold that is best for them."""
        pooled = MapCounts.pooled(self.counts).histogram
        return pooled.scores(pooled.best_threshold()).dice

    def facts(self) -> dict[str, Any]:
        """Return the scores as plain types, those of the resamples as intervals."""
        scores = self.scores
        found = {"auc": scores.auc, "dice": scores.dice, "best_dice": self.best_dice}
        found |= {"sensitivity": scores.sensitivity, "specificity": scores.specificity}
        if len(self.counts) > 1:
            low, high = interval(self.draws)
            for name in ("auc", "dice"):
                found |= {f"{name}_low": getattr(low, name), f"{name}_high": getattr(high, name)}
        return found


class Scorer:
    """Scores one model, and keeps the counts of its images.

    Parameters
    ----------
    model : Path
        A checkpoint.
    kept : Path
        Folder for the counts.
    threads : int, optional
        CPU threads; all if left out.
    """

    def __init__(self, model: Path, kept: Path, threads: int | None = None) -> None:
        self.predictor = open_predictor(model, threads)
        self.digest = hashlib.sha256(model.read_bytes()).hexdigest()
        self.thresholding = Threshold.of(self.predictor).thresholding
        self._kept = kept
        kept.mkdir(exist_ok=True)

    def count(self, camera: Camera) -> Iterator[Counted]:
        """Count the pixels of a camera's images, at each angle that makes a difference."""
        for way, told in camera.angles(self.predictor).items():
            progress = tqdm(
                camera.samples, f"{camera.name}, {told}", unit="image", disable=not sys.stderr.isatty()
            )
            histograms = [self._histogram(camera, sample, way) for sample in progress]
            yield Counted(told, [self._counts(one) for one in histograms])

    def _counts(self, histogram: Histogram) -> MapCounts:
        threshold = self.thresholding.of(histogram.level_counts().sum(axis=0))
        return MapCounts.at(threshold, histogram)

    def _histogram(self, camera: Camera, sample: Sample, way: str) -> Histogram:
        angle = None if way == ASSUMED else sample.field_of_view
        key = f"{self.digest} {camera.name} {sample.name} {angle}"
        path = self._kept / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
        if path.is_file():
            with np.load(path) as counts:
                return Histogram(counts["vessels"], counts["background"])
        image = dataclasses.replace(load_labelled(sample), field_of_view=angle)
        histogram = Histogram.of(self.predictor.predict(image), image.truth, image.fov)
        with written_atomically(path) as temporary:
            np.savez_compressed(temporary, vessels=histogram.vessels, background=histogram.background)
        return histogram


@dataclass(frozen=True)
class Row:
    """A camera at one angle, by the model that never saw it and by the one that did; either may be None."""

    camera: str
    images: int
    angle: str
    unseen: Counted | None
    seen: Counted | None

    def lost(self, score: str) -> Gain | None:
        """Return how much better the model is that saw the camera, with the interval over the images."""
        if self.unseen is None or self.seen is None:
            return None
        value = getattr(self.seen.scores, score) - getattr(self.unseen.scores, score)
        if self.images == 1:
            return Gain(value, None)
        return Gain(value, ends(self.seen.draws[score] - self.unseen.draws[score]))

    def line(self) -> str:
        """Return the row of the Markdown table."""
        cells = [f"{self.camera} ({self.images})", self.angle]
        for one in (self.unseen, self.seen):
            figures = [] if one is None else [one.scores.auc, one.scores.dice, one.best_dice]
            cells += [f"{figure:.3f}" for figure in figures] or ["", "", ""]
        cells += ["" if gain is None else gain.printed() for gain in map(self.lost, ("auc", "dice"))]
        return f"| {' | '.join(cells)} |"

    def facts(self) -> dict[str, Any]:
        """Return the row as plain types, flat for a table."""
        flat: dict[str, Any] = {"camera": self.camera, "images": self.images, "angle": self.angle}
        for name, one in (("unseen", self.unseen), ("seen", self.seen)):
            flat |= {f"{name}_{key}": value for key, value in ({} if one is None else one.facts()).items()}
        for score in ("auc", "dice"):
            if (gain := self.lost(score)) is not None:
                flat[f"lost_{score}"] = gain.value
                flat |= dict(
                    zip((f"lost_{score}_low", f"lost_{score}_high"), gain.interval or (), strict=False)
                )
        return flat


def rows_of(camera: Camera, unseen: Scorer | None, seen: Scorer | None) -> Iterator[Row]:
    """Score a camera by one or both models."""
    found = [
        {} if one is None else {each.angle: each for each in one.count(camera)} for one in (unseen, seen)
    ]
    for angle in dict.fromkeys([*found[0], *found[1]]):
        yield Row(camera.name, len(camera.samples), angle, found[0].get(angle), found[1].get(angle))


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    return "\n".join([HEADER, *(row.line() for row in rows)])


def write(rows: Sequence[Row], scorers: dict[str, Scorer], folder: Path) -> None:
    """Write `scores.csv` and, with the models' thresholds and hashes, `scores.json`."""
    flat = [row.facts() for row in rows]
    models = {
        run: {
            "sha256": one.digest,
            "threshold": one.thresholding.fixed,
            "map_threshold": one.thresholding.rule and dataclasses.asdict(one.thresholding.rule),
            "command": one.predictor.record.get("command"),
        }
        for run, one in scorers.items()
    }
    facts = {
        "scored": "inside the FOV at native size, all pixels of the test images",
        "intervals": {"over": "images", "resamples": RESAMPLES, "seed": SEED, "level": LEVEL},
        "models": models,
        "rows": flat,
    }
    with written_atomically(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    titles = dict.fromkeys(title for row in flat for title in row)
    with (
        written_atomically(folder / "scores.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, titles)
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.6f}" if isinstance(value, float) else value for key, value in row.items()}
            for row in flat
        )
