"""Print the proofs of an exported folder as one Markdown table, as in docs/export.md.

    retina-export CHECKPOINT --out exported --precision fp32 fp16 int8 --calibrate DRIVE --verify DRIVE
    python benchmarks/proof_table.py exported

No model is run: all values are read from the specs beside the files.
"""

import argparse
from pathlib import Path

from retinagan.export.proof.bounds import deciding_set
from retinagan.runtime.model.spec import ModelSpec, spec_path

HEADER = "file,size,proven on,threshold,largest difference,mean,Dice of the maps,AUC,Dice,Acc,Sen,Spe"
SCORES = ("auc", "dice", "acc", "sen", "spe")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the proofs of an exported folder as Markdown.")
    parser.add_argument("folder", type=Path, help="written by retina-export")
    folder = parser.parse_args().folder
    paths = sorted([*folder.glob("*.onnx"), *folder.glob("*.engine")])
    if not paths:
        raise SystemExit(f"{folder}: no file of retina-export there")
    columns = HEADER.split(",")
    print(line(columns))
    print(line(["---", "---:", "---", *["---:"] * (len(columns) - 3)]))
    for path in paths:
        print(line(row(path)))


def row(path: Path) -> list[str]:
    """Give a file's cells; "-" where there is no proof or no truth."""
    spec = ModelSpec.load(spec_path(path))
    cells = [f"`{path.name}`", f"{path.stat().st_size / 1e6:.2f} MB", spec.proof.get("candidate", "-")]
    cells.append(f"{spec.threshold:.3f}")
    measured = spec.proof.get(deciding_set(spec.proof) or "")
    if measured is None:
        return cells + ["-"] * (3 + len(SCORES))
    cells += [f"{measured[name]:.1e}" for name in ("max_abs_difference", "mean_abs_difference")]
    cells.append(f"{measured['map_dice']:.4f}")
    scores = measured.get("scores", {})
    return cells + ["-" if scores.get(name) is None else f"{scores[name]:.4f}" for name in SCORES]


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
