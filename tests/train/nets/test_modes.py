"""Train mode normalises by a batch's statistics, eval mode by those kept: both must tell the same vessels."""

import copy

import pytest
import torch
from small_dataset import small_options, training_images
from torch import nn

from retinagan.train.loop.trainer import Trainer
from retinagan.train.nets.config import MODELS

BOUND = 0.02
"""Largest mean difference between the probabilities of the two modes on one batch."""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


@torch.no_grad()
def difference(net, batch):
    first = torch.sigmoid(copy.deepcopy(net).train()(batch.image, batch.roi))
    second = torch.sigmoid(copy.deepcopy(net).eval()(batch.image, batch.roi))
    return float((first - second).abs()[batch.roi > 0].mean())


@pytest.mark.parametrize("model", MODELS)
def test_both_modes_agree_on_a_batch(images, model):
    trainer = Trainer(images, small_options(60, model=model, batch=6))
    while not trainer.finished:
        trainer.step()
    batch = trainer._batches.patches(60)
    net = trainer.generator
    assert difference(net, batch) < BOUND
    forgetful = copy.deepcopy(net)
    for module in forgetful.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    assert difference(forgetful, batch) > BOUND
