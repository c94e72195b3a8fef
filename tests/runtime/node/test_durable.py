import os
import stat
from pathlib import Path

import pytest

from retinagan.runtime.node import durable


@pytest.fixture
def synced(monkeypatch) -> list[Path]:
    """The paths that are made to last, in order."""
    paths = []
    fsync = os.fsync

    def noted(opened: int) -> None:
        paths.append(Path(f"/proc/self/fd/{opened}").readlink())
        fsync(opened)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


def test_a_file_and_a_folder_are_synced(tmp_path, synced):
    (tmp_path / "file").touch()
    durable.synced(tmp_path / "file")
    durable.synced(tmp_path)
    assert synced == [tmp_path / "file", tmp_path]
    with pytest.raises(FileNotFoundError):
        durable.synced(tmp_path / "absent")


def test_a_folder_is_made_with_its_parents_for_this_user_alone(tmp_path, synced):
    durable.made_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    durable.made_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_file_is_synced_before_it_has_its_name_and_the_name_after(tmp_path, synced):
    (tmp_path / "temporary").write_bytes(b"content")
    durable.moved(tmp_path / "temporary", tmp_path / "sub" / "file")
    assert synced == [tmp_path, tmp_path / "temporary", tmp_path / "sub"]
    assert (tmp_path / "sub" / "file").read_bytes() == b"content"
    assert not (tmp_path / "temporary").exists()
