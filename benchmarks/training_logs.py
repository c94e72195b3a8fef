"""Summarise training logs as a Markdown table: means over the first and last tenth of each stage.

    python benchmarks/training_logs.py docs/training/*.csv      the bundled models'
    python benchmarks/training_logs.py runs/mine/log.csv

Each row is named after the log file, or after its folder if the file is called log.csv.
"""

import argparse
import math
import sys
from pathlib import Path

from retinagan.train.paper.log_summary import summarize_log

HEADER = "| run | iterations | stage | pixel loss | G's adversarial loss | D's loss | D(x) | D(G(z)) |"


def table(paths: list[Path]) -> str:
    """Return the summaries of all logs as one table; raise ValueError for a file that is not a log."""
    lines = [HEADER, "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path}: no such file; expected the log.csv of a run of retina-train")
        name = path.resolve().parent.name if path.name == "log.csv" else path.stem
        parts = summarize_log(path)
        if not parts:
            raise ValueError(f"{path}: expected iterations, found none")
        for part in parts:
            figures = ("" if math.isnan(mean) else f"{mean:.3f}" for mean in part.means.values())
            lines.append(f"| {name} | {part.first}-{part.last} | {part.stage} | {' | '.join(figures)} |")
            name = ""
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Summarize the logs of trainings.")
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="log.csv of a run")
    try:
        print(table(parser.parse_args().logs))
    except (ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
