import pytest
import torch
from torch import nn

from retinagan.train.nets.averaging import WeightAverage


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_an_average_of_constant_weights_is_these_weights():
    trained = net()
    average = WeightAverage(net(), 0.9)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1.0)
    for iteration in range(200):
        average.update(trained, iteration)
    for ours, theirs in zip(average.net.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_decay_holds_once_the_start_is_over():
    trained, average = net(), WeightAverage(net(), 0.9)
    with torch.no_grad():
        trained[0].weight.add_(1.0)
        trained[1].running_mean.add_(1.0)
    average.update(trained, 10_000)
    torch.testing.assert_close(average.net[0].weight, net()[0].weight + 0.1)
    torch.testing.assert_close(average.net[1].running_mean, net()[1].running_mean + 0.1)


def test_no_decay_follows_the_net():
    trained, average = net(), WeightAverage(net(), 0.0)
    with torch.no_grad():
        trained[0].weight.add_(1.0)
    average.update(trained, 0)
    torch.testing.assert_close(average.net[0].weight, trained[0].weight)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_an_impossible_decay_is_refused(decay):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        WeightAverage(net(), decay)
