"""What `retina-eval` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from retinagan.runtime import __version__
from retinagan.runtime.errors import RetinaGanError
from retinagan.train.datasets import LabelledImage, Sample, find_samples, load_labelled
from retinagan.train.evaluation import measure, score, table, write_csv, write_json
from retinagan.train.prediction import open_predictor

DEFAULT_THRESHOLD = 0.5


def build_parser() -> argparse.ArgumentParser:
    """Build the command's parser."""
    parser = argparse.ArgumentParser(
        prog="retina-eval",
        description="Score a model or a folder of vessel maps against experts' maps, at native size.",
    )
    add = parser.add_argument
    add("source", metavar="MODEL_OR_MAPS", help="an ONNX file, a bundled model's name, a checkpoint (.pt), "
        "or a folder of maps as retina-run --save probability writes them")  # fmt: skip
    add("--data", required=True, metavar="DIR", help="dataset folder: DRIVE, or one with images/ and labels/")
    add("--split", choices=("training", "test"), default="test", help="which half (default: %(default)s)")
    add(
        "--threshold",
        type=float,
        metavar="P",
        help="probability from which on a pixel is a vessel (default: the model's own, else 0.5)",
    )
    add("--out", metavar="DIR", help="write scores.csv and scores.json there, with a row for each image")
    add("--each", action="store_true", help="print each image's scores too")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    add("--quiet", action="store_true", help="no progress bar")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluate as parsed arguments say; the exit code."""
    samples = find_samples(arguments.data, arguments.split)
    predictor = open_predictor(arguments.source, arguments.threads)
    threshold = arguments.threshold
    if threshold is None:
        threshold = DEFAULT_THRESHOLD if predictor.threshold is None else predictor.threshold
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"--threshold {threshold}: expected 0 to 1")
    with predictor.resources:
        measured = list(measure(predictor.predict, _loaded(samples, arguments.quiet)))
    rows = score(measured, threshold)
    print(f"{predictor.description}; {len(samples)} {arguments.split} images; threshold {threshold:g}")
    print(table(rows, arguments.each))
    if arguments.out:
        folder = Path(arguments.out)
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "source": str(arguments.source),
            "split": arguments.split,
            "images": len(samples),
            "threshold": threshold,
        }
        write_csv(rows, folder / "scores.csv")
        write_json(rows, facts, folder / "scores.json")
        print(f"written: {folder / 'scores.csv'}, {folder / 'scores.json'}")
    return 0


def _loaded(samples: list[Sample], quiet: bool) -> Iterator[LabelledImage]:
    for sample in tqdm(samples, unit="image", disable=quiet or not sys.stderr.isatty()):
        yield load_labelled(sample)


def main(argv: list[str] | None = None) -> int:
    """Run `retina-eval`; returns the exit code: 0 done, 2 wrong use or data."""
    arguments = build_parser().parse_args(argv)
    try:
        return evaluate(arguments)
    except (RetinaGanError, ValueError, OSError) as error:
        print(f"retina-eval: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
