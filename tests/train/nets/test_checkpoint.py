import resource

import pytest
import torch
from small_checkpoint import small_generator, write_checkpoint

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import MapThreshold
from retinagan.train.nets.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.nets.discriminator import Discriminator, DiscriminatorConfig


def test_what_is_saved_comes_back(tmp_path):
    generator = small_generator(layers=2, attention=False)
    discriminator = Discriminator(DiscriminatorConfig(((4, 8),)))
    path = write_checkpoint(
        tmp_path / "a.pt", generator, discriminator=discriminator, resume={"iteration": 3}
    )
    loaded = load_checkpoint(path)
    assert loaded.generator.config == generator.config
    assert not loaded.generator.training
    for name, value in generator.state_dict().items():
        assert torch.equal(loaded.generator.state_dict()[name], value)
    for name, value in discriminator.state_dict().items():
        assert torch.equal(loaded.discriminator.state_dict()[name], value)
    assert loaded.preprocessing.working_size == 64
    assert (loaded.tiling.patch, loaded.threshold, loaded.resume) == (32, 0.4, {"iteration": 3})
    assert loaded.record["options"]["seed"] == 3
    assert loaded.map_threshold is None


def test_the_rule_of_maps_own_thresholds_comes_back(tmp_path):
    rule = MapThreshold(1.2, -0.1)
    path = write_checkpoint(tmp_path / "a.pt", small_generator(), map_threshold=rule)
    assert load_checkpoint(path).map_threshold == rule


def test_a_checkpoint_of_an_earlier_version_has_no_rule(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator(), map_threshold=MapThreshold())
    values = torch.load(path, weights_only=True)
    del values["map_threshold"]
    torch.save(values, path)
    assert load_checkpoint(path).map_threshold is None


def test_a_released_checkpoint_holds_no_optimizer(tmp_path):
    checkpoint = Checkpoint(small_generator(), resume={"optimizers": {}})
    checkpoint.released().save(tmp_path / "a.pt")
    assert load_checkpoint(tmp_path / "a.pt").resume is None
    assert checkpoint.resume is not None


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_checkpoint(path, small_generator())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_says_how_to_train(tmp_path):
    with pytest.raises(ModelError, match="no such checkpoint; train one with retina-train"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("content", [b"", b"no torch file", b"hello\n", b"PK\x03\x04 cut"])
def test_a_broken_file_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.pt: not a readable torch checkpoint"):
        load_checkpoint(path)


def test_a_truncated_file_is_no_checkpoint(tmp_path):
    path = write_checkpoint(tmp_path / "cut.pt", small_generator())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ModelError, match=r"cut\.pt: not a readable torch checkpoint"):
        load_checkpoint(path)


class Harmful:
    def __reduce__(self):
        return (print, ("executed",))


def test_nothing_in_a_file_is_executed(tmp_path, capsys):
    torch.save({"retinagan_checkpoint": 1, "generator": Harmful()}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"not a readable torch checkpoint \(it holds something other"):
        load_checkpoint(tmp_path / "a.pt")
    assert "executed" not in capsys.readouterr().out


def test_another_torch_file_is_told_apart(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="no checkpoint of retina-train"):
        load_checkpoint(tmp_path / "other.pt")


def test_a_newer_format_asks_for_an_upgrade(tmp_path):
    torch.save({"retinagan_checkpoint": 2}, tmp_path / "new.pt")
    with pytest.raises(ModelError, match="format 2, but this version reads 1: pip install --upgrade"):
        load_checkpoint(tmp_path / "new.pt")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator())
    values = torch.load(path, weights_only=True)
    values["generator"]["config"]["widths"] = (4, 16)
    torch.save(values, path)
    with pytest.raises(ModelError, match="parts do not fit together"):
        load_checkpoint(path)


def test_released_discriminator_is_kept_in_half_precision(tmp_path):
    discriminator = Discriminator()
    path = tmp_path / "released.pt"
    Checkpoint(small_generator(), discriminator).save(path)
    stored = torch.load(path, weights_only=True)["discriminator"]["weights"]
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}
    loaded = load_checkpoint(path).discriminator.state_dict()
    for name, value in discriminator.state_dict().items():
        assert loaded[name].dtype == value.dtype
        torch.testing.assert_close(loaded[name], value, rtol=1e-3, atol=1e-6)
