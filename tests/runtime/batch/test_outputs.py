import errno
import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from retinagan.runtime.batch.encoding import PictureError, encode_png
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.pictures import KINDS
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.errors import OptionError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path / "out") as folder:
        yield folder


def files(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if found.is_file())


@pytest.mark.parametrize(
    "picture",
    [GREY, GREY.astype(np.uint16) * 5000, np.stack([GREY, GREY + 50, GREY + 100], axis=-1)],
    ids=["grey", "16 bit", "colour"],
)
def test_pictures_come_back_as_they_were(tmp_path, picture):
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(picture))
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1] if picture.ndim == 3 else read, picture)
    assert read.dtype == picture.dtype


def test_pictures_are_written_below_the_folder(folder):
    folder.write("sub/deep/a", "vessels", GREY)
    np.testing.assert_array_equal(Image.open(folder.path / "sub/deep/a_vessels.png"), GREY)
    assert folder.has("sub/deep/a", ["vessels"])
    assert not folder.has("sub/deep/a", KINDS)


def test_what_is_encoded_is_written_whole_and_only_to_a_free_name(folder):
    folder.write_encoded("a", "dicom-seg", lambda: b"whole")
    assert (folder.path / "a_vessels.dcm").read_bytes() == b"whole"
    with pytest.raises(PictureError, match=r"'a_vessels\.dcm' exists in the output folder and is not from"):
        folder.write_encoded("a", "dicom-seg", lambda: pytest.fail("not to be encoded"))


def test_an_empty_file_is_no_picture(folder):
    (folder.path / "a_vessels.png").touch()
    assert not folder.has("a", ["vessels"])


def test_nothing_but_results_is_left(tmp_path):
    with OutputFolder(tmp_path) as folder:
        folder.write("a", "vessels", GREY)
    assert files(tmp_path) == ["a_vessels.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["a_vessels.png"]


def test_what_a_killed_run_left_is_removed(tmp_path):
    staging = tmp_path / ".retina-run"
    staging.mkdir()
    (staging / "new.png").write_bytes(b"half a pict")
    with OutputFolder(tmp_path):
        assert files(tmp_path) == []


def test_a_picture_that_fails_midway_leaves_the_old_one(folder, monkeypatch):
    folder.write("a", "vessels", GREY)
    before = (folder.path / "a_vessels.png").read_bytes()

    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.write("a", "vessels", GREY + 1)
    assert files(folder.path) == ["a_vessels.png"]
    assert (folder.path / "a_vessels.png").read_bytes() == before


def test_an_own_picture_is_replaced_and_another_programs_is_not(tmp_path):
    (tmp_path / "b_vessels.png").write_bytes(b"drawn by hand")
    with OutputFolder(tmp_path) as folder:
        folder.write("a", "vessels", GREY)
        folder.write("a", "vessels", GREY + 1)
        message = re.escape("'b_vessels.png' exists in the output folder and is not from retina-run; move")
        with pytest.raises(PictureError, match=message):
            folder.write("b", "vessels", GREY)
    assert (tmp_path / "b_vessels.png").read_bytes() == b"drawn by hand"
    with OutputFolder(tmp_path, overwrite=True) as folder:
        folder.write("b", "vessels", GREY)
    np.testing.assert_array_equal(Image.open(tmp_path / "b_vessels.png"), GREY)


def test_own_pictures_are_removed_and_others_are_not(folder):
    folder.write("a", "vessels", GREY)
    folder.write("a", "overlay", np.stack([GREY] * 3, axis=-1))
    (folder.path / "a_probability.png").write_bytes(b"drawn by hand")
    folder.remove("a", ["overlay", "probability"])
    assert files(folder.path) == ["a_probability.png", "a_vessels.png"]


def test_a_url_of_no_store_is_not_taken_for_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="argument --out: no such kind of URL: 's4://clinic/maps'"):
        OutputFolder("s4://clinic/maps")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/out", "/proc/nothing/out"])
def test_a_folder_that_cannot_be_made(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to the output folder '.*' \(.+\); choose another"):
        OutputFolder(tmp_path / place).__enter__()


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"'.*out' \(Permission denied\); choose another with --out"):
        OutputFolder(tmp_path / "out").__enter__()


def test_a_name_that_is_taken_by_a_folder_concerns_one_picture_alone(folder):
    (folder.path / "a_vessels.png").mkdir()
    with pytest.raises(PictureError, match=r"'a_vessels.png' exists in the output folder"):
        folder.write("a", "vessels", GREY)
    (folder.path / "sub").touch()
    with pytest.raises(PictureError, match=r"cannot write 'sub/a_vessels.png' \(Not a directory\)"):
        folder.write("sub/a", "vessels", GREY)
    folder.write("b", "vessels", GREY)
    assert files(folder.path) == ["b_vessels.png", "sub"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_disk_concerns_all_pictures(folder, monkeypatch, number):
    def fail(self, target):
        raise OSError(number, "the disk says no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match=r"cannot write to the output folder '.*' any more \(the disk says"):
        folder.write("a", "vessels", GREY)
    assert files(folder.path) == []


def test_a_folder_that_was_removed_midway_is_not_made_again(folder):
    subprocess.run(["rm", "-r", str(folder.path)], check=True)
    with pytest.raises(OutputError, match=r"any more \(No such file or directory\)"):
        folder.write("a", "vessels", GREY)
    assert not folder.path.exists()


def test_one_run_at_a_time(folder):
    message = r"another retina-run or retina-node is writing to '.*out'; wait for it, or choose another --out"
    with pytest.raises(OutputError, match=message):
        OutputFolder(folder.path).__enter__()
    other = "import sys; from retinagan.runtime.batch.outputs import OutputFolder\n"
    other += "OutputFolder(sys.argv[1]).__enter__()"
    result = subprocess.run(
        [sys.executable, "-c", other, str(folder.path)], capture_output=True, text=True, check=False
    )
    assert "OutputError: another retina-run or retina-node is writing" in result.stderr
    folder.write("a", "vessels", GREY)


def test_shards_write_at_the_same_time_but_not_beside_a_whole_run(tmp_path):
    whole_run = r"another retina-run or retina-node is writing to '.*'; wait for it"
    with (
        OutputFolder(tmp_path, shard=Shard(1, 2)) as first,
        OutputFolder(tmp_path, shard=Shard(2, 2)) as second,
    ):
        first.write("a", "vessels", GREY)
        with pytest.raises(OutputError, match=whole_run):
            OutputFolder(tmp_path).__enter__()
        with pytest.raises(OutputError, match=r"another retina-run --shard 1/2 is writing to '.*'; wait"):
            OutputFolder(tmp_path, shard=Shard(1, 2)).__enter__()
        second.write("b", "vessels", GREY)
        first.write("c", "vessels", GREY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a_vessels.png",
        "b_vessels.png",
        "c_vessels.png",
    ]
    with OutputFolder(tmp_path), pytest.raises(OutputError, match=whole_run):
        OutputFolder(tmp_path, shard=Shard(1, 2)).__enter__()


def test_what_a_killed_shard_left_is_removed(tmp_path):
    for name in (".retina-run", ".retina-run-1-of-2", ".retina-run-2-of-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").touch()
    with OutputFolder(tmp_path, shard=Shard(1, 2)) as folder:
        folder.write("a", "vessels", GREY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".retina-run",
        ".retina-run-2-of-2",
        "a_vessels.png",
    ]
    with OutputFolder(tmp_path):
        pass
    assert files(tmp_path) == ["a_vessels.png"]


def test_a_shard_whose_hidden_folder_goes_while_it_takes_it_makes_another(tmp_path, monkeypatch):
    lock, gone = fcntl.flock, []

    def late(file, operation):
        lock(file, operation)
        if operation & fcntl.LOCK_EX and not gone:
            gone.append(shutil.rmtree(tmp_path / ".retina-run-1-of-2"))

    monkeypatch.setattr("fcntl.flock", late)
    with OutputFolder(tmp_path, shard=Shard(1, 2)) as folder:
        folder.write("a", "vessels", GREY)
    assert gone
    assert files(tmp_path) == ["a_vessels.png"]


def test_the_next_run_may_come_when_one_has_ended(tmp_path):
    for name in ("a", "b"):
        with OutputFolder(tmp_path) as folder:
            folder.write(name, "vessels", GREY)
    assert files(tmp_path) == ["a_vessels.png", "b_vessels.png"]


def test_a_file_system_without_locks_still_serves(tmp_path, monkeypatch):
    def unsupported(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with OutputFolder(tmp_path) as folder:
        folder.write("a", "vessels", GREY)
    assert files(tmp_path) == ["a_vessels.png"]


def test_an_overlay_format_that_is_not_written(tmp_path):
    with pytest.raises(OptionError, match="overlay format: got 'gif'; expected one of jpeg"):
        OutputFolder(tmp_path, overlay_format="gif")
