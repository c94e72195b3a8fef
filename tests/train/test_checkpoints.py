import shutil

import pytest
from small_checkpoint import small_generator, write_checkpoint

from retinagan.runtime.errors import ModelError
from retinagan.train import checkpoints
from retinagan.train.checkpoints import bundled_checkpoints, find_checkpoint


def test_a_path_is_taken_as_it_is(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert find_checkpoint(path) == find_checkpoint(str(path)) == path


def test_a_bundled_name_goes_before_a_file(tmp_path, monkeypatch):
    folder = tmp_path / "bundled"
    folder.mkdir()
    bundled = write_checkpoint(folder / "mine.pt", small_generator())
    shutil.copy(bundled, tmp_path / "mine")
    monkeypatch.setattr(checkpoints, "_FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    assert bundled_checkpoints() == ("mine",)
    assert find_checkpoint("mine") == bundled


def test_neither_name_nor_file_lists_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_FOLDER", tmp_path)
    with pytest.raises(
        ModelError, match='"mine" is neither a checkpoint file nor a bundled one; bundled checkpoints: none'
    ):
        find_checkpoint("mine")
