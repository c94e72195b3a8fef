import numpy as np
import pytest
import torch
from small_dataset import WORKING_SIZE, small_options, training_images, write_dataset

from retinagan.runtime.model.parameters import NetworkInput, Preprocessing
from retinagan.train.data.files import DataError, find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.validation import Validation
from retinagan.train.scores.evaluation import inside_fov
from retinagan.train.scores.prediction import checkpoint_predictor

PREPROCESSING = Preprocessing("ace", 5.0, WORKING_SIZE)


@pytest.fixture
def samples(tmp_path):
    return find_samples(write_dataset(tmp_path / "drawn"), "test")


def validation(samples, every=2):
    return Validation(samples, PREPROCESSING, NetworkInput(divisor=2), every)


def test_scores_are_those_of_the_model_that_is_kept(samples, tmp_path):
    trainer = Trainer(training_images(tmp_path / "training"), small_options(10))
    for _ in range(10):
        trainer.step()
    scores = validation(samples).scores(trainer.average.net)
    predict = checkpoint_predictor(trainer.checkpoint(), "checkpoint").predict
    pooled = inside_fov(predict, [load_labelled(sample) for sample in samples])
    expected = pooled.scores(pooled.best_threshold())
    assert scores["auc"] == pytest.approx(expected.auc, abs=1e-6)
    assert scores["dice"] == pytest.approx(expected.dice, abs=1e-6)
    assert scores["threshold"] == pytest.approx(pooled.best_threshold(), abs=1e-4)


def test_the_pixel_loss_falls_as_the_net_learns(samples, tmp_path):
    trainer = Trainer(training_images(tmp_path / "training"), small_options(40))
    held_out, losses = validation(samples), []
    for _ in range(2):
        losses.append(held_out.scores(trainer.average.net)["pixel"])
        for _ in range(40 * (len(losses) == 1)):
            trainer.step()
    assert losses[1] < 0.8 * losses[0]


def test_scoring_draws_no_random_number_and_changes_no_weight(samples, tmp_path):
    net = Trainer(training_images(tmp_path / "training"), small_options(1)).average.net
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    first, second = (validation(samples).scores(net) for _ in range(2))
    assert first == second
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_it_is_due_each_so_many_iterations_and_at_the_end(samples):
    held_out = validation(samples, every=3)
    assert [n for n in range(1, 8) if held_out.is_due(n, n == 7)] == [3, 6, 7]


def test_bad_images_are_named_at_once(samples):
    samples[0].image.write_bytes(b"broken")
    samples[1].truth.write_bytes(b"broken")
    with pytest.raises(DataError) as caught:
        validation(samples)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_scores_on_a_gpu_are_those_on_the_cpu(samples, tmp_path):
    net = Trainer(training_images(tmp_path / "training"), small_options(1)).average.net
    held_out = validation(samples)
    expected, found = held_out.scores(net), held_out.scores(net.cuda())
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=2e-3)
