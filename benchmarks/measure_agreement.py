"""How well measures of a model's maps agree with those of an expert's, beside a second expert's.

    python benchmarks/measure_agreement.py retina-gan
    python benchmarks/measure_agreement.py retina-gan --write docs/measurements.md

The datasets are the folders that RETINAGAN_DRIVE and RETINAGAN_CHASE_DB1 name, or --data; each needs the maps
of two experts, of which the first counts as right. All three maps of a test image are measured inside the
dataset's field of view and round the retina's disc. --write puts the tables into a Markdown file, between the
lines "<!-- agreement -->" and "<!-- /agreement -->".
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.measures.measure import measure
from retinagan.runtime.measures.quantities import QUANTITIES
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.segment import Segmentation
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.prediction import Predictor, open_predictor

DATASETS = ("RETINAGAN_DRIVE", "RETINAGAN_CHASE_DB1")
MUCH_WORSE = 2.0
"""A measure whose root mean square difference from expert 1 is larger than this many times expert 2's, on any
of the datasets, agrees much worse."""
START, END = "<!-- agreement -->\n", "<!-- /agreement -->\n"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How one measure of a set of maps agrees with expert 1's, over n images.

    Attributes
    ----------
    icc : float
        ICC(2,1), two-way random effects, absolute agreement, single measure: P. E. Shrout and J. L. Fleiss,
        Psychological Bulletin 86, 420-428, 1979, https://doi.org/10.1037/0033-2909.86.2.420
    bias, spread : float
        Mean and standard deviation of the differences: J. M. Bland and D. G. Altman, The Lancet 327, 307-310,
        1986, https://doi.org/10.1016/S0140-6736(86)90837-8
    """

    icc: float
    bias: float
    spread: float

    @classmethod
    def of(cls, found: Floats, right: Floats) -> "Agreement":
        """Compare (n,) values with those of expert 1."""
        difference = found - right
        return cls(
            icc(np.stack([found, right], axis=1)), float(difference.mean()), float(difference.std(ddof=1))
        )

    @property
    def error(self) -> float:
        """Root mean square difference, of bias and spread together."""
        return float(np.hypot(self.bias, self.spread))

    def limits(self) -> tuple[float, float]:
        """Return the 95 % limits of agreement."""
        return self.bias - 1.96 * self.spread, self.bias + 1.96 * self.spread


def icc(ratings: Floats) -> float:
    """Return ICC(2,1) of (n, k) ratings: n images by k raters."""
    n, k = ratings.shape
    mean, rows, columns = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    between_images = k * np.square(rows - mean).sum() / (n - 1)
    between_raters = n * np.square(columns - mean).sum() / (k - 1)
    rest = np.square(ratings - rows[:, None] - columns + mean).sum() / ((n - 1) * (k - 1))
    whole = between_images + (k - 1) * rest + k * (between_raters - rest) / n
    return float((between_images - rest) / whole) if whole else 1.0


def measured(predictor: Predictor, folder: str) -> Iterator[dict[str, dict[str, float]]]:
    """Yield the measures of each test image's maps, by rater and column."""
    for sample in tqdm(find_samples(folder, "test"), unit=" images", disable=not sys.stderr.isatty()):
        image = load_labelled(sample)
        if image.second is None:
            raise ImageError(f"{folder}: {image.name} has no map of a second expert")
        probability = predictor.predict(image)
        maps = {
            "model": probability >= Threshold.of(predictor).thresholding.of_map(probability),
            "expert 2": image.second,
            "expert 1": image.truth,
        }
        yield {rater: _values(vessels, image) for rater, vessels in maps.items()}


def _values(vessels: NDArray[np.bool_], image: LabelledImage) -> dict[str, float]:
    segmentation = Segmentation(
        vessels.astype(np.float32), vessels & image.fov, image.fov, {}, disc=find_retina(image.image).disc
    )
    found = measure(segmentation, field_of_view=image.field_of_view, every_measure=True)
    return {column: np.nan if value is None else float(value) for column, value in found.values.items()}


def columns_compared() -> list[str]:
    """Return one column for each measure: in degrees where it has units."""
    found = [column for quantity in QUANTITIES for column in quantity.columns()]
    return [name for name in found if not name.endswith(("_pixel", "_pixels", "_millimetre", "_millimetres"))]


def compared(
    rows: list[dict[str, dict[str, float]]], column: str
) -> tuple[float, Agreement, Agreement] | None:
    """Return expert 1's mean, and how model and expert 2 agree with expert 1, on one column."""
    values = {rater: np.array([row[rater][column] for row in rows]) for rater in rows[0]}
    known = ~np.isnan(np.stack(list(values.values()))).any(axis=0)
    if known.sum() < 3:
        return None
    right = values["expert 1"][known]
    model, second = (Agreement.of(values[rater][known], right) for rater in ("model", "expert 2"))
    return float(right.mean()), model, second


def table(rows: list[dict[str, dict[str, float]]], columns: list[str]) -> str:
    """Return the agreement of all columns as Markdown; differences are in per cent of expert 1's mean."""
    lines = [
        "| measure | expert 1, mean | model: ICC | bias, limits | expert 2: ICC | bias, limits | "
        "error, model / expert 2 |",
        "| --- | ---: | ---: | --- | ---: | --- | ---: |",
    ]
    for column in columns:
        found = compared(rows, column)
        if found is None:
            continue
        mean, *both = found
        cells = []
        for one in both:
            low, high = (100 * limit / mean for limit in one.limits())
            cells += [f"{one.icc:.2f}", f"{100 * one.bias / mean:+.1f} % ({low:+.1f} to {high:+.1f})"]
        ratio = both[0].error / both[1].error
        lines.append(f"| `{column}` | {mean:.4g} | {' | '.join(cells)} | {ratio:.1f} |")
    return "\n".join(lines)


def worse(rows: list[dict[str, dict[str, float]]], columns: list[str]) -> set[str]:
    """Return the columns on which the model agrees much worse with expert 1 than expert 2 does."""
    found = {column: compared(rows, column) for column in columns}
    return {
        column
        for column, one in found.items()
        if one is not None and one[1].error > MUCH_WORSE * one[2].error
    }


def main() -> None:
    """Compare the model that the command line names."""
    parser = argparse.ArgumentParser(description="Compare measures of a model's maps with two experts'.")
    parser.add_argument(
        "model", metavar="MODEL", help="bundled name, ONNX file, checkpoint or folder of maps"
    )
    parser.add_argument(
        "--data", nargs="+", metavar="FOLDER", help="dataset folders with maps of two experts"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown file whose tables to replace")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    data = options.data or [os.environ[name] for name in DATASETS if name in os.environ]
    if not data:
        parser.error(f"name datasets by --data, or by the environment variables {', '.join(DATASETS)}")
    columns, parts, much_worse = columns_compared(), [], set()
    try:
        predictor = open_predictor(options.model, options.threads)
        with predictor.resources:
            for folder in data:
                rows = list(measured(predictor, folder))
                parts.append(f"**{Path(folder).name}**, {len(rows)} test images\n\n{table(rows, columns)}\n")
                much_worse |= worse(rows, columns)
    except (RetinaGanError, ValueError, OSError) as error:
        sys.exit(str(error))
    names = ", ".join(f"`{column}`" for column in columns if column in much_worse) or "none"
    parts.append(f"Error more than {MUCH_WORSE:g} times expert 2's on one of the datasets: {names}.\n")
    text = "\n".join(parts)
    print(text)
    if options.write is not None:
        page = options.write.read_text(encoding="utf-8")
        before, start, rest = page.partition(START)
        _, end, after = rest.partition(END)
        if not end:
            sys.exit(f"{options.write}: expected the lines {START.strip()} and {END.strip()}")
        options.write.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
