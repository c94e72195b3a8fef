from pathlib import Path

import pytest
import torch
from processes import python
from small_dataset import small_options, training_images
from two_processes import parallel_options, result

from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.workers import ALONE, Workers, torchrun_workers

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes came to; torchrun itself is run in test_command.py."""
    folder = tmp_path_factory.mktemp("two")
    finished = python(str(TESTS / "two_processes.py"), str(folder))
    assert finished.returncode == 0, finished.stderr[-3000:]
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_processes_match_one_that_accumulates_the_same_halves(two, tmp_path):
    trainer = Trainer(training_images(tmp_path), parallel_options())
    alone = result(trainer, [trainer.step() for _ in range(4)])
    for together in two:
        assert set(together["tensors"]) == set(alone["tensors"])
        for name, value in together["tensors"].items():
            torch.testing.assert_close(value, alone["tensors"][name], rtol=1e-4, atol=1e-6, msg=name)
        for losses, expected in zip(together["losses"], alone["losses"], strict=True):
            assert losses == pytest.approx(expected, rel=1e-4)


def test_all_processes_hold_the_same_bits(two):
    first, second = (process["tensors"] for process in two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_in_parts_is_not_a_batch_in_one(tmp_path):
    # BatchNorm sees each part by itself: that is why the parts stand among the options.
    images = training_images(tmp_path)
    whole, parts = (Trainer(images, small_options(1, accumulate=count)) for count in (1, 2))
    first, second = whole.step()["pixel"], parts.step()["pixel"]
    assert first != second
    assert first == pytest.approx(second, rel=0.1)


def test_the_environment_of_torchrun_is_read():
    assert torchrun_workers({}) is ALONE
    assert torchrun_workers({"RANK": "1", "WORLD_SIZE": "2"}) is ALONE  # of another launcher
    names = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert torchrun_workers({**names, "LOCAL_WORLD_SIZE": "2"}) == Workers(3, 4, 1, 2)


def test_parts_that_processes_cannot_share_are_explained(tmp_path):
    with pytest.raises(ValueError, match=r"--accumulate 2: 3 processes share .* expected a multiple of 3"):
        Trainer(training_images(tmp_path), small_options(accumulate=2), workers=Workers(0, 3))
