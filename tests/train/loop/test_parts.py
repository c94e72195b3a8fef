import copy

import pytest
import torch
from small_dataset import small_options
from torch import nn

from retinagan.train.loop.batches import Batch
from retinagan.train.loop.parts import (
    LARGEST_GRADIENT,
    Meter,
    OptimizerStep,
    PartStatistics,
    PartWork,
    TrainingError,
    finite,
    vessel_shares,
)
from retinagan.train.loop.workers import ALONE, Workers


def stepped(net, batch, parts, scaled=False):
    net = copy.deepcopy(net)
    step = OptimizerStep("patches", net, torch.optim.SGD(net.parameters(), 1.0), parts, ALONE, scaled)
    step.begin(0.5)
    for part in batch.chunk(parts):
        step.backward(net(part).square().mean())
    step.end()
    return net


@pytest.mark.parametrize("scaled", [False, True])
def test_the_parts_of_a_batch_make_the_step_of_the_whole(scaled):
    torch.manual_seed(0)
    net, batch = nn.Linear(3, 1), torch.randn(8, 3) / 8.0
    expected = stepped(net, batch, 1)
    assert not torch.equal(expected.weight, net.weight)
    for parts in (1, 2, 4):
        torch.testing.assert_close(stepped(net, batch, parts, scaled).weight, expected.weight)


def test_a_large_gradient_is_shortened():
    torch.manual_seed(0)
    net = nn.Linear(3, 1, bias=False)
    change = stepped(net, 100.0 * torch.randn(8, 3), 2).weight - net.weight
    assert change.norm().item() == pytest.approx(0.5 * LARGEST_GRADIENT, rel=1e-4)


def test_an_overflow_leaves_the_weights_and_lowers_the_scale():
    net = nn.Linear(3, 1)
    step = OptimizerStep("patches", net, torch.optim.SGD(net.parameters(), 1.0), 1, ALONE, True)
    before, scale = copy.deepcopy(net), step.scaler_state()["scale"]
    step.begin(0.5)
    step.backward(torch.full((), torch.inf) * net.weight.sum())
    step.end()
    assert torch.equal(net.weight, before.weight)
    assert step.scaler_state()["scale"] == scale / 2
    again = OptimizerStep("patches", net, torch.optim.SGD(net.parameters(), 1.0), 1, ALONE, True)
    again.load(step.optimizer_state(), step.scaler_state())
    assert again.scaler_state()["scale"] == scale / 2


def test_running_statistics_are_the_mean_of_what_the_parts_leave():
    torch.manual_seed(0)
    norm, batch = nn.BatchNorm2d(2), torch.randn(6, 2, 4, 4) + 3.0
    left = []
    for part in batch.chunk(3):
        alone = copy.deepcopy(norm)
        alone(part)
        left.append((alone.running_mean, alone.running_var))
    statistics = PartStatistics(norm, 3, ALONE)
    outputs = []
    for part in batch.chunk(3):
        with statistics.part():
            outputs.append(norm(part).sum())
    statistics.end()
    torch.testing.assert_close(norm.running_mean, torch.stack([mean for mean, _ in left]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([variance for _, variance in left]).mean(0))
    assert norm.num_batches_tracked == 1
    torch.stack(outputs).sum().backward()  # nothing that it needs was overwritten


def test_figures_are_averaged_over_the_parts():
    meter = Meter(2, ALONE)
    meter.add(loss=torch.tensor(1.0), pixel=torch.tensor(4.0))
    meter.add(loss=torch.tensor(2.0), pixel=torch.tensor(8.0))
    assert meter.means() == {"loss": 1.5, "pixel": 6.0}


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
    with pytest.raises(
        TrainingError,
        match=r"patches loss is nan at iteration 7: .*--init can start from the",
    ):
        finite("patches", "loss", {"loss": float("nan")}, 7)


def test_shares_of_vessel_count_the_retina_alone():
    roi, truth = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    roi[..., 0] = 1.0
    shares = vessel_shares(torch.full((1, 1, 2, 2), 0.25), Batch(truth.expand(1, 3, 2, 2), roi, truth))
    assert (shares["vessels"].item(), shares["predicted"].item()) == (1.0, 0.25)
