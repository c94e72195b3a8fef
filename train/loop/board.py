"""TensorBoard, for those who have it: the same figures as in log.csv and validation.csv."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from retinagan.runtime.errors import RetinaGanError

FOLDER = "tensorboard"
"""Name of its folder in the run's."""


class BoardError(RetinaGanError, RuntimeError):
    """TensorBoard was asked for and is not installed."""


class Board:
    """Scalars for `tensorboard --logdir`.

    Parameters
    ----------
    folder : Path
        The run's folder.
    done : int
        Iterations already done; figures of later ones, from before an interruption, are dropped.

    Raises
    ------
    BoardError
        If the package is missing; it is imported here only.
    """

    def __init__(self, folder: Path, done: int) -> None:
        if find_spec("tensorboard") is None:
            raise BoardError('--tensorboard: not installed; type  pip install "retinagan[tensorboard]"')
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=done)

    def add(self, iteration: int, figures: Mapping[str, float], group: str = "") -> None:
        """Take in one iteration's figures, under a group's name if given."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}" if group else name, value, iteration)

    def close(self) -> None:
        """Put everything on disk."""
        self._writer.close()
