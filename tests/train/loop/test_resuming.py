from dataclasses import replace

import pytest
from small_dataset import small_options, training_images

from retinagan.train.loop.options import StageOptions
from retinagan.train.loop.parts import TrainingError
from retinagan.train.loop.trainer import Trainer
from retinagan.train.nets.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


def test_other_options_are_not_resumed(images, tmp_path):
    trainer = Trainer(images, small_options(4))
    trainer.step()
    trainer.checkpoint().save(tmp_path / "a.pt")
    other = Trainer(images, small_options(4, seed=1, batch=2))
    with pytest.raises(TrainingError, match=r"batch: 4 there, 2 asked for, seed: 0 there, 1 asked for"):
        other.load(load_checkpoint(tmp_path / "a.pt"))


def test_the_adversarial_stage_may_be_chosen_until_it_begins(images):
    trainer = Trainer(images, small_options(2, 2))
    trainer.step()
    trainer.step()
    early = trainer.checkpoint()
    later = small_options(2, StageOptions(2, 5e-4))
    Trainer(images, later).load(early)
    trainer.step()
    with pytest.raises(TrainingError, match=r"adversarial\.learning_rate: 0\.001 there, 0.0005 asked for"):
        Trainer(images, later).load(trainer.checkpoint())


def test_a_released_checkpoint_is_not_resumed(images):
    trainer = Trainer(images, small_options(2))
    with pytest.raises(TrainingError, match="released without the trainer's state"):
        trainer.load(trainer.checkpoint().released())


def test_a_run_of_another_version_is_not_resumed(images):
    trainer = Trainer(images, small_options(2))
    checkpoint = trainer.checkpoint()
    checkpoint.record["options"]["new"] = 1
    with pytest.raises(TrainingError, match="written by another version"):
        trainer.load(checkpoint)


def test_changed_images_or_maps_are_not_resumed(images):
    trainer = Trainer(images, small_options(2))
    trainer.step()
    checkpoint = trainer.checkpoint()
    Trainer(images, small_options(2)).load(checkpoint)
    changed = [replace(images[0], truth=images[0].truth[:, ::-1].copy()), *images[1:]]
    with pytest.raises(TrainingError, match="the images or maps differ from those that the run began with"):
        Trainer(changed, small_options(2)).load(checkpoint)


def test_a_checkpoint_from_before_images_were_recorded_is_resumed(images):
    trainer = Trainer(images, small_options(2))
    trainer.step()
    checkpoint = trainer.checkpoint()
    del checkpoint.record["images_sha256"]
    other = Trainer(images, small_options(2))
    other.load(checkpoint)
    assert other.iteration == 1
