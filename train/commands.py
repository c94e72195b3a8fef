"""The console scripts of this room. They name missing packages before torch is imported.

The commands themselves are in `loop.command`, `scores.command` and `paper.command`, which need torch.
"""

from collections.abc import Sequence
from importlib.util import find_spec

from retinagan.runtime.console.command import UNUSABLE, complain

_NEEDED = ("torch", "sklearn", "skimage")
_FOR_FIGURES = ("matplotlib",)


def main_train(argv: list[str] | None = None) -> int:
    """Run `retina-train` with these arguments, or those of the process; 2 if a package is missing."""
    if _complain_of_missing("retina-train", _NEEDED):
        return UNUSABLE
    from retinagan.train.loop import command

    return command.main(argv)


def main_evaluate(argv: list[str] | None = None) -> int:
    """Run `retina-eval` with these arguments, or those of the process; 2 if a package is missing."""
    if _complain_of_missing("retina-eval", _NEEDED):
        return UNUSABLE
    from retinagan.train.scores import command

    return command.main(argv)


def main_reproduce(argv: list[str] | None = None) -> int:
    """Run `retina-reproduce` with these arguments, or those of the process; 2 if a package is missing."""
    if _complain_of_missing("retina-reproduce", _NEEDED + _FOR_FIGURES):
        return UNUSABLE
    from retinagan.train.paper import command

    return command.main(argv)


def _complain_of_missing(command: str, needed: Sequence[str]) -> bool:
    """Name the packages that are not installed in one line on stderr; return whether there are any."""
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        complain(command, f'not installed: {", ".join(missing)}; type  pip install "retinagan[train]"')
    return bool(missing)


if __name__ == "__main__":  # for torchrun, which starts a module
    raise SystemExit(main_train())
