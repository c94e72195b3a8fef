"""The console scripts of this room, thin: they say what is not installed before torch is imported.

What a command does is in `loop.command`, `scores.command` and `paper.command`, which need torch.
"""

from collections.abc import Sequence
from importlib.util import find_spec

from retinagan.runtime.console.command import UNUSABLE, complain

_NEEDED = ("torch", "sklearn", "skimage")
_FOR_FIGURES = ("matplotlib",)


def main_train(argv: list[str] | None = None) -> int:
    """Run `retina-train` with these arguments, or the process's; 2 if a package that it needs is missing."""
    if _complain_of_missing("retina-train", _NEEDED):
        return UNUSABLE
    from retinagan.train.loop import command

    return command.main(argv)


def main_evaluate(argv: list[str] | None = None) -> int:
    """Run `retina-eval` with these arguments, or the process's; 2 if a package that it needs is missing."""
    if _complain_of_missing("retina-eval", _NEEDED):
        return UNUSABLE
    from retinagan.train.scores import command

    return command.main(argv)


def main_reproduce(argv: list[str] | None = None) -> int:
    """Run `retina-reproduce` with these arguments, or the process's; 2 if a package is missing."""
    if _complain_of_missing("retina-reproduce", _NEEDED + _FOR_FIGURES):
        return UNUSABLE
    from retinagan.train.paper import command

    return command.main(argv)


def _complain_of_missing(command: str, needed: Sequence[str]) -> bool:
    """Say in one line on stderr which packages are not installed; whether any is."""
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        complain(command, f'not installed: {", ".join(missing)}; type  pip install "retinagan[train]"')
    return bool(missing)


if __name__ == "__main__":  # for torchrun, which starts a module
    raise SystemExit(main_train())
