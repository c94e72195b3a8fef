import pytest
import torch
from small_dataset import small_options

from retinagan.train.loop.batches import Batch
from retinagan.train.loop.parts import PartWork, TrainingError, finite, vessel_shares
from retinagan.train.loop.workers import Workers


def batch(count):
    values = torch.arange(count, dtype=torch.float32).view(count, 1, 1, 1)
    return Batch(values.expand(count, 3, 2, 2), torch.ones(count, 1, 2, 2), torch.zeros(count, 1, 2, 2))


def numbers(work, count):
    return [part.image[:, 0, 0, 0].tolist() for part in work.parts(batch(count))]


def test_one_process_computes_all_parts_in_order():
    work = PartWork(small_options(accumulate=2), torch.device("cpu"), Workers())
    assert numbers(work, 4) == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(("rank", "expected"), [(0, [[0.0], [1.0]]), (1, [[2.0], [3.0]])])
def test_processes_share_the_parts(rank, expected):
    work = PartWork(small_options(accumulate=4), torch.device("cpu"), Workers(rank, 2))
    assert numbers(work, 4) == expected


def test_a_loss_that_is_not_finite_is_an_error_that_says_where():
    assert finite("patches", "loss", {"loss": 0.5}, 7) == {"loss": 0.5}
    with pytest.raises(TrainingError, match="the patches loss is nan at iteration 7"):
        finite("patches", "loss", {"loss": float("nan")}, 7)


def test_shares_of_vessel_count_the_retina_alone():
    roi, truth = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    roi[..., 0] = 1.0
    shares = vessel_shares(torch.full((1, 1, 2, 2), 0.25), Batch(truth.expand(1, 3, 2, 2), roi, truth))
    assert (shares["vessels"].item(), shares["predicted"].item()) == (1.0, 0.25)
