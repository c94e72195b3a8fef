"""TensorBoard, if it is installed: the figures of log.csv and validation.csv."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from retinagan.runtime.errors import RetinaGanError

FOLDER = "tensorboard"
"""Name of the TensorBoard folder in the folder of the run."""


class BoardError(RetinaGanError, RuntimeError):
    """TensorBoard is requested but not installed."""


class Board:
    """Scalars for `tensorboard --logdir`.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    done : int
        Iterations already done; figures of later iterations, from before an interruption, are dropped.

    Raises
    ------
    BoardError
        If the package is missing.
    """

    def __init__(self, folder: Path, done: int) -> None:
        if find_spec("tensorboard") is None:
            raise BoardError('--tensorboard: not installed; type  pip install "retinagan[tensorboard]"')
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=done)

    def add(self, iteration: int, figures: Mapping[str, float], group: str = "") -> None:
        """Add the figures of one iteration, under the name of a group if given."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}" if group else name, value, iteration)

    def close(self) -> None:
        """Write everything to disk."""
        self._writer.close()
