"""Copy checkpoints without their discriminators, which neither devices nor scores need.

    python benchmarks/slim_checkpoint.py runs/small/model.pt retina-gan-small.pt       one checkpoint
    python benchmarks/slim_checkpoint.py runs/reproduction docs/reproduction           all of a folder

From a folder, each run is copied as `retina-reproduce --no-training` needs it: its model.pt, the models kept
during training, and its log.csv.
"""

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

from retinagan.runtime.errors import RetinaGanError
from retinagan.train.nets.checkpoint import load_checkpoint


def slim(source: Path, target: Path) -> None:
    """Copy a checkpoint without its discriminator and without what only its training needs."""
    checkpoint = load_checkpoint(source).released()
    target.parent.mkdir(parents=True, exist_ok=True)
    dataclasses.replace(checkpoint, discriminator=None).save(target)


def slim_runs(source: Path, target: Path) -> None:
    """Copy the finished runs of a folder."""
    models = sorted(source.glob("*/model.pt"))
    if not models:
        sys.exit(f"{source}: expected folders with a model.pt, as retina-reproduce leaves them; found none")
    for model in models:
        for path in (model, *sorted(model.parent.glob("iteration-*.pt"))):
            slim(path, target / path.relative_to(source))
        if (log := model.with_name("log.csv")).is_file():
            shutil.copyfile(log, target / model.parent.name / log.name)


def main() -> None:
    parser = argparse.ArgumentParser(description="Copy checkpoints without their discriminators.")
    parser.add_argument("source", type=Path, help="checkpoint, or a folder of runs")
    parser.add_argument("target", type=Path, help="file, or for a folder of runs a folder")
    options = parser.parse_args()
    source, target = options.source, options.target
    if not source.exists():
        parser.error(f"{source}: no such file or folder; expected a checkpoint, or a folder of runs")
    if target.exists() and target.is_dir() != source.is_dir():
        parser.error(f"{target}: expected a {'folder' if source.is_dir() else 'file'}, as {source} is")
    if target.resolve().is_relative_to(source.resolve()):
        parser.error(f"{target}: expected another place than the source, which stays as it is")
    try:
        (slim_runs if source.is_dir() else slim)(source, target)
    except (RetinaGanError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
