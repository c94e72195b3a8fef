"""The console scripts of this room. They name missing packages and wrong options before torch is imported.

The commands themselves are in `loop.command`, `scores.command` and `paper.command`, which need torch.
"""

from collections.abc import Sequence
from importlib.util import find_spec

from retinagan.runtime.console.command import UNUSABLE, complain, run_command

_NEEDED = ("torch", "sklearn", "skimage")
_FOR_FIGURES = ("matplotlib",)


def main_train(argv: list[str] | None = None) -> int:
    """Run `retina-train`.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit code: 0 done, 2 invalid options or data, or a package that is missing, 70 a defect, 128 + the
        signal's number if a signal stopped it.
    """
    if _complain_of_missing("retina-train", _NEEDED):
        return UNUSABLE
    return run_command(
        "retina-train",
        lambda: _train(argv),
        interrupted="interrupted before it could save; the last checkpoint remains",
    )


def _train(argv: list[str] | None) -> int:
    from retinagan.train.loop.parser import build_parser

    arguments = build_parser().parse_args(argv)
    from retinagan.train.loop import command  # imports torch, for which wrong options do not wait

    return command.train(arguments)


def main_evaluate(argv: list[str] | None = None) -> int:
    """Run `retina-eval`; takes and returns what `main_train` does."""
    if _complain_of_missing("retina-eval", _NEEDED):
        return UNUSABLE
    return run_command("retina-eval", lambda: _evaluate(argv))


def _evaluate(argv: list[str] | None) -> int:
    from retinagan.train.scores.parser import build_parser

    arguments = build_parser().parse_args(argv)
    from retinagan.train.scores import command

    return command.evaluate(arguments)


def main_reproduce(argv: list[str] | None = None) -> int:
    """Run `retina-reproduce`; takes and returns what `main_train` does."""
    if _complain_of_missing("retina-reproduce", _NEEDED + _FOR_FIGURES):
        return UNUSABLE
    return run_command(
        "retina-reproduce",
        lambda: _reproduce(argv),
        interrupted="interrupted; run the same command to continue",
    )


def _reproduce(argv: list[str] | None) -> int:
    from retinagan.train.paper.parser import parse

    arguments, more = parse(argv)
    from retinagan.train.paper import command

    return command.reproduce(arguments, more)


def _complain_of_missing(command: str, needed: Sequence[str]) -> bool:
    """Name the packages that are not installed in one line on stderr; return whether there are any."""
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        complain(command, f'not installed: {", ".join(missing)}; type  pip install "retinagan[train]"')
    return bool(missing)


if __name__ == "__main__":  # for torchrun, which starts a module
    raise SystemExit(main_train())
