import io
import sys

import pytest

from retinagan.train.loop.board import Board, BoardError
from retinagan.train.loop.journal import Journal


@pytest.fixture
def scalars():
    """Reads what a folder's board shows of a figure, as (iteration, value) pairs."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def scalars(folder, name):
        events = EventAccumulator(str(folder / "tensorboard")).Reload()
        return [(event.step, event.value) for event in events.Scalars(name)]

    return scalars


def test_figures_stand_under_their_name_and_group(tmp_path, scalars):
    board = Board(tmp_path, 0)
    board.add(3, {"loss": 0.5})
    board.add(4, {"auc": 0.75}, "validation")
    board.close()
    assert scalars(tmp_path, "loss") == [(3, 0.5)]
    assert scalars(tmp_path, "validation/auc") == [(4, 0.75)]


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path, scalars):
    for done, values in ((0, (0.5, 0.25, 0.125)), (1, (0.75,))):
        board = Board(tmp_path, done)
        for iteration, value in enumerate(values, done):
            board.add(iteration, {"loss": value})
        board.close()
    assert scalars(tmp_path, "loss") == [(0, 0.5), (1, 0.75)]


def test_a_board_receives_the_same_figures(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for done, values in ((0, (0.5, 0.4, 0.3)), (1, (0.25,))):  # the second goes on after a checkpoint at 1
        journal = Journal(tmp_path, 9, done, io.StringIO(), board=Board(tmp_path, done))
        for value in values:
            journal.add("patches", {"loss": value})
            journal.add_validation({"auc": value, "dice": 0.8, "threshold": 0.5, "pixel": 0.1})
        journal.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(0, 0.5), (1, 0.25)]
    assert (2, 0.25) in [(event.step, event.value) for event in events.Scalars("validation/auc")]


def test_a_board_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(BoardError, match=r'not installed; type  pip install "retinagan\[tensorboard\]"'):
        Board(tmp_path, 0)
