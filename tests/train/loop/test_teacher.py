from dataclasses import replace

import pytest
import torch
from small_dataset import small_options, training_images

from retinagan.runtime.errors import ModelError
from retinagan.train.loop.batches import Batch
from retinagan.train.loop.options import StageOptions
from retinagan.train.loop.teacher import Teacher
from retinagan.train.loop.trainer import Trainer


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def taught(images, tmp_path_factory):
    """A teacher's checkpoint that has learned something, and its path."""
    trainer = Trainer(images, small_options(60))
    while not trainer.finished:
        trainer.step()
    checkpoint = trainer.checkpoint().released()
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    checkpoint.save(path)
    return checkpoint, path


def batch_of(images):
    return Trainer(images, small_options(1))._batches.patches(0)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_map_becomes_a_mixture(images, taught, weight):
    checkpoint, _ = taught
    batch = batch_of(images)
    teacher = Teacher(checkpoint, weight, checkpoint.preprocessing, 32, torch.device("cpu"))
    probability = torch.sigmoid(checkpoint.generator(batch.image, batch.roi)) * batch.roi
    softened = teacher.soften(batch)
    torch.testing.assert_close(softened.truth, (1 - weight) * batch.truth + weight * probability)
    assert softened.image is batch.image
    assert not softened.truth[batch.roi == 0].any()


def test_a_learner_comes_to_its_teacher(images, taught):
    checkpoint, path = taught
    options = small_options(80, widths=(4, 8), teacher=str(path), teacher_weight=1.0, seed=5)
    trainer = Trainer(images, options)
    batch: Batch = batch_of(images)
    inside = batch.roi > 0

    def distance():
        with torch.no_grad():
            ours = torch.sigmoid(trainer.average.net(batch.image, batch.roi))
            theirs = torch.sigmoid(checkpoint.generator(batch.image, batch.roi))
        return float((ours - theirs).abs()[inside].mean())

    before = distance()
    while not trainer.finished:
        trainer.step()
    assert distance() < 0.6 * before


def test_the_discriminator_is_shown_the_experts_maps_alone(images, taught):
    _, path = taught
    stage = StageOptions(1, 1e-3, adversarial_weight=0.05)
    with_teacher = Trainer(images, small_options(0, stage, teacher=str(path)))
    without = Trainer(images, small_options(0, stage))
    assert with_teacher.step() == without.step()


def test_a_teacher_of_other_images_is_refused(images, taught):
    checkpoint, _ = taught
    other = replace(checkpoint.preprocessing, method="clahe")
    with pytest.raises(
        ModelError, match="the teacher knows images after ace, the learner gets clahe: choose the same"
    ):
        Teacher(checkpoint, 0.5, other, 32, torch.device("cpu"))


def test_a_teacher_of_another_working_size_will_do(images, taught):
    checkpoint, _ = taught
    same, finer = (
        Teacher(checkpoint, 0.5, preprocessing, 32, torch.device("cpu"))
        for preprocessing in (checkpoint.preprocessing, replace(checkpoint.preprocessing, working_size=96))
    )
    batch = batch_of(images)
    torch.testing.assert_close(finer.soften(batch).truth, same.soften(batch).truth)


def test_patches_that_the_teacher_does_not_take_are_refused(taught):
    checkpoint, _ = taught
    with pytest.raises(ModelError, match=r"--patch 33: the teacher takes multiples of \d+ pixels; choose"):
        Teacher(checkpoint, 0.5, checkpoint.preprocessing, 33, torch.device("cpu"))


def test_a_weight_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"--teacher-weight 1\.5: expected 0 to 1"):
        small_options(1, teacher_weight=1.5)


def test_the_record_names_what_it_started_from_and_who_taught_it(images, taught):
    checkpoint, path = taught
    trainer = Trainer(images, small_options(1, init=str(path), teacher=str(path)))
    record = trainer.checkpoint().record
    assert record["started_from"] == record["taught_by"] == checkpoint.record
    assert "started_from" not in Trainer(images, small_options(1)).checkpoint().record
