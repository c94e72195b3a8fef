"""The command kept in a model's record: what decides its weights, and no path of a machine."""

import argparse
import shlex

from retinagan.train.data.files import folder_name
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.parser import build_parser

_OF_NO_CONSEQUENCE = (
    "data",
    "out",
    "threads",
    "checkpoint_minutes",
    "snapshots",
    "validation_every",
    "device",
    "tensorboard",
    "jitter_workers",
)
"""Options that do not change the weights, and --data, which is recorded by the names of its folders."""


def command_of(arguments: argparse.Namespace, options: TrainingOptions) -> str:
    """Return the command with all options that change the result, and no path of this machine.

    If several processes share the batches, it is the command of one process that gives the same model.
    """
    names = [folder_name(folder) for folder in arguments.data]
    return shlex.join(["retina-train", "--data", *names, *deciding(arguments, options)])


def deciding(arguments: argparse.Namespace, options: TrainingOptions) -> list[str]:
    """Return the options that change the result and differ from their defaults, as words of a command."""
    words = []
    decided = vars(arguments) | {"accumulate": options.accumulate if options.accumulate > 1 else None}
    for action in build_parser()._actions:
        value = decided.get(action.dest, action.default)
        if value == action.default or action.dest in _OF_NO_CONSEQUENCE or action.const is not None:
            continue
        flag = action.option_strings[0]
        if isinstance(value, list):  # given once for each
            words += [word for one in value for word in (flag, _as_word(one))]
        elif isinstance(value, tuple):
            words += [flag, ",".join(map(str, value))]
        else:
            words += [flag] if action.nargs == 0 else [flag, str(value)]
    return words


def _as_word(value: str | tuple[str, str | float]) -> str:
    if isinstance(value, str):
        return value
    name, told = value
    return f"{name}={told:g}" if isinstance(told, float) else f"{name}={told}"
