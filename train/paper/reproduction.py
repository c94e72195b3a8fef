"""Train the paper's systems under one budget and score them; each system has a run folder of its own."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError
from retinagan.train.data.files import TRAINING, Sample, find_samples
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.loop import parser as train_parser
from retinagan.train.loop.arguments import options_of
from retinagan.train.loop.run import snapshot_name
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.nets.generator import parameter_count
from retinagan.train.paper.log_summary import LogPart, summarize_log
from retinagan.train.paper.printed import System
from retinagan.train.scores.bootstrap import TAILS, ends, resample
from retinagan.train.scores.comparison import Gain
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.evaluation import MODEL, POOLED, REGIONS, Row, measure, score
from retinagan.train.scores.metrics import Scores
from retinagan.train.scores.prediction import checkpoint_predictor

MODEL_FILE = "model.pt"
PROGRESS_OF = System("retina-gan", "ace")
"""The system whose training figure 7 shows."""

_DISCRIMINATED = ("gan", "retina-gan")


@dataclass(frozen=True)
class Result:
    """Scores of one trained system.

    Attributes
    ----------
    system : System
    threshold : float
        Chosen on training images.
    parameters : int
        Number of the generator's parameters.
    precision : str
        Number format it was trained in.
    rows : list of Row
        Scores, the second observer's included.
    draws : mapping of str to mapping of str to (resamples,) float64
        Scores of resampled images by region and score; the resamples are the same for every system.
    shares : mapping of str to float
        Share of vessel pixels in the images, by region, 0 to 1.
    log : list of LogPart
        Summary of its training log; empty if there is no log.
    """

    system: System
    threshold: float
    parameters: int
    precision: str
    rows: list[Row]
    draws: dict[str, dict[str, NDArray[np.float64]]]
    shares: dict[str, float]
    log: list[LogPart] = field(default_factory=list)

    def pooled(self, region: str) -> Scores:
        """Return the scores of all pixels in a region."""
        return self._row(region, POOLED).scores

    def interval(self, region: str) -> tuple[Scores, Scores] | None:
        """Return the ends of the pooled scores' intervals; None for a single image."""
        return self._row(region, POOLED).interval

    def each(self, region: str, score: str) -> list[float]:
        """Return one score for each image."""
        rows = (row for row in self.rows if (row.map, row.region) == (MODEL, region) and row.image != POOLED)
        return [float(getattr(row.scores, score)) for row in rows]

    def _row(self, region: str, image: str) -> Row:
        return next(row for row in self.rows if (row.map, row.region, row.image) == (MODEL, region, image))


def training_arguments(
    system: System, iterations: int, data: str, folder: Path, more: list[str]
) -> argparse.Namespace:
    """Return the arguments of `retina-train` for one system.

    All systems take `iterations` steps on the same whole images in the same order, cut into patches. Those
    without a discriminator learn by the pixel loss alone.

    Parameters
    ----------
    system : System
    iterations : int
        Training budget.
    data : str
        Folder of the dataset.
    folder : Path
        Folder of the run.
    more : list of str
        Further options of `retina-train`, the same for every system.
    """
    words = ["--data", data, "--out", str(folder), "--model", system.model, "--preprocess", system.preprocess]
    words += ["--iterations", "0", "--adversarial-iterations", str(iterations)]
    if system.model not in _DISCRIMINATED:
        words += ["--adversarial-weight", "0"]
    if system == PROGRESS_OF:
        words += ["--snapshots", str(snapshot_step(iterations))]
    return train_parser.build_parser("retina-reproduce").parse_args([*more, *words])


def snapshot_step(iterations: int) -> int:
    """Return the iterations between two models of figure 7: a quarter of the budget, as in the paper."""
    return max(iterations // 4, 1)


def progress_models(run: Path, iterations: int) -> dict[int, Path]:
    """Find Retina-GAN's models by iteration: after a quarter, half and all of the budget, where kept."""
    step = snapshot_step(iterations)
    kept = {number: run / snapshot_name(number) for number in (step, 2 * step) if number < iterations}
    return {number: path for number, path in kept.items() if path.is_file()} | {iterations: run / MODEL_FILE}


def is_trained(arguments: argparse.Namespace) -> bool:
    """Return whether a run folder holds the finished model of these options, in any number format.

    Raises
    ------
    OptionError
        If the folder holds a model trained on other images, or one without a record of its training.
    """
    path = Path(arguments.out) / MODEL_FILE
    if not path.is_file():
        return False
    record, options = load_checkpoint(path).record, options_of(arguments)
    if not {"options", "iterations", "training_images", "held_out_images", "data"} <= record.keys():
        raise OptionError(f"{path} has no record of its training; choose another --out")
    # Older records do not name the expert; each machine chooses its own precision.
    theirs = {"experts": options.experts, **record["options"], "precision": options.precision}
    if theirs != options.to_plain() or record["iterations"] != options.iterations:
        return False
    seen = {*record["training_images"], *record["held_out_images"]}
    (data,) = arguments.data
    expected = {sample.name for sample in find_samples(data, TRAINING)}
    if seen != expected:
        raise OptionError(
            f"{path} was trained on {len(seen)} images of {record['data']}, expected the "
            f"{len(expected)} training images of {data}; choose another --out"
        )
    return True


def measure_system(system: System, folder: Path, samples: list[Sample]) -> Result:
    """Score a trained system on images, at the one threshold chosen on its training images."""
    checkpoint = replace(load_checkpoint(folder / MODEL_FILE), map_threshold=None)  # the paper has one
    predictor = checkpoint_predictor(checkpoint, system.name)
    thresholding = Threshold.of(predictor).thresholding
    measured = list(measure(predictor.predict, _labelled(samples), thresholding))
    counts = {region: [image.model[index] for image in measured] for index, region in enumerate(REGIONS)}
    return Result(
        system,
        thresholding.fixed,
        parameter_count(checkpoint.generator),
        checkpoint.record["options"]["precision"],
        score(measured),
        {region: resample(images) for region, images in counts.items()},
        {region: _vessel_share(images) for region, images in counts.items()},
        summarize_log(folder / "log.csv"),
    )


def _labelled(samples: list[Sample]) -> Iterator[LabelledImage]:
    return (load_labelled(sample) for sample in samples)


def _vessel_share(images: list[MapCounts]) -> float:
    vessels = sum(int(one.histogram.vessels.sum()) for one in images)
    return vessels / (vessels + sum(int(one.histogram.background.sum()) for one in images))


def ranks(results: list[Result], region: str, score: str) -> list[tuple[int, int, int]]:
    """Rank systems by a score; 1 is the best.

    Returns
    -------
    list of (int, int, int)
        For each system its rank on all images, and its lowest and highest rank in 95 % of the resamples.
        With a single image the latter two carry no information.
    """
    values = np.array([getattr(result.pooled(region), score) for result in results])[:, None]
    draws = np.stack([result.draws[region][score] for result in results])  # (systems, resamples)
    low, high = np.quantile(_ranked(draws), TAILS, axis=1, method="nearest")
    return [tuple(int(rank) for rank in line) for line in zip(_ranked(values)[:, 0], low, high, strict=True)]  # type: ignore[misc]


def gain(first: Result, second: Result, region: str, score: str) -> Gain:
    """Return the first system's score minus the second's, with its interval over the same resamples."""
    value = getattr(first.pooled(region), score) - getattr(second.pooled(region), score)
    single = first.interval(region) is None
    spread = None if single else ends(first.draws[region][score] - second.draws[region][score])
    return Gain(float(value), spread)


def _ranked(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return 1 + the number of better systems, along the first axis."""
    better: NDArray[np.intp] = 1 + (values[None, :] > values[:, None]).sum(axis=1)
    return better
