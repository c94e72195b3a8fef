"""Stores by fsspec: memory, and S3 by a server on this machine."""

import errno
import sys
from datetime import datetime, timezone

import pytest
from s3_server import new_bucket, s3_server

from retinagan.runtime.storage import store
from retinagan.runtime.storage.store import Object, StorageError, Store, at_once, store_of

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(scope="module")
def bucket():
    with s3_server():
        yield new_bucket()


@pytest.fixture(params=["memory", "s3"])
def folder(request) -> str:
    """The URL of an empty folder."""
    if request.param == "memory":
        files = fsspec.filesystem("memory")
        if files.exists("/clinic"):
            files.rm("/clinic", recursive=True)
        return "memory://clinic/scans"
    request.getfixturevalue("bucket")
    return f"{new_bucket()}/scans"


def test_an_object_comes_back_as_it_was_written(folder):
    files = store_of(folder)
    files.write(f"{folder}/sub/a b+ü.png", b"0123456789")
    assert files.read(f"{folder}/sub/a b+ü.png") == b"0123456789"
    assert files.read(f"{folder}/sub/a b+ü.png", 2, 5) == b"234"
    files.write(f"{folder}/sub/a b+ü.png", b"new")
    assert files.read(f"{folder}/sub/a b+ü.png") == b"new"


def test_objects_are_listed_with_their_sizes_and_times(folder):
    files = store_of(folder)
    for name in ("b.png", "sub/c.png", "a.png"):
        files.write(f"{folder}/{name}", name.encode())
    files.write(f"{folder}2/d.png", b"")
    found = files.below(folder)
    assert [one.url for one in found] == [f"{folder}/{name}" for name in ("a.png", "b.png", "sub/c.png")]
    assert [one.size for one in found] == ["5", "5", "9"]
    written = datetime.fromtimestamp(float(found[0].modified), timezone.utc)
    assert abs((datetime.now(timezone.utc) - written).total_seconds()) < 600
    assert files.below(f"{folder}/nothing") == []


def test_a_listing_sees_what_others_have_written_since(folder):
    files = store_of(folder)
    assert files.below(folder) == []
    Store(folder.partition(":")[0]).write(f"{folder}/a.png", b"1")
    assert [one.url for one in files.below(folder)] == [f"{folder}/a.png"]


def test_an_object_is_told_from_a_folder(folder):
    files = store_of(folder)
    files.write(f"{folder}/a.png", b"12")
    assert files.find(f"{folder}/a.png")[:2] == (f"{folder}/a.png", "2")
    assert files.find(folder) is None
    assert files.find(f"{folder}/b.png") is None


def test_a_glob_gives_objects_and_folders(folder):
    files = store_of(folder)
    for name in ("visit1/a.png", "visit2/b.png", "visit2/c.jpg", "visit.png"):
        files.write(f"{folder}/{name}", b"1")
    objects, folders = files.matching(f"{folder}/visit*")
    assert [one.url for one in objects] == [f"{folder}/visit.png"]
    assert folders == [f"{folder}/visit1", f"{folder}/visit2"]
    objects, folders = files.matching(f"{folder}/**/*.png")
    assert [one.url for one in objects] == [
        f"{folder}/visit.png",
        f"{folder}/visit1/a.png",
        f"{folder}/visit2/b.png",
    ]


def test_files_are_copied_and_objects_removed(folder, tmp_path):
    files = store_of(folder)
    (tmp_path / "a").write_bytes(b"123")
    files.upload(str(tmp_path / "a"), f"{folder}/a.csv")
    files.download(f"{folder}/a.csv", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"123"
    files.remove(f"{folder}/a.csv")
    assert files.find(f"{folder}/a.csv") is None


def test_what_is_not_there_is_an_error_with_a_reason(folder):
    for ask in (store_of(folder).read, lambda url: store_of(url).download(url, "/dev/null")):
        with pytest.raises(FileNotFoundError) as caught:
            ask(f"{folder}/a.png")
        assert caught.value.errno == errno.ENOENT
        assert caught.value.strerror


def test_a_bucket_that_is_not_there(bucket):
    with pytest.raises(FileNotFoundError, match="The specified bucket does not exist"):
        store_of(bucket).below("s3://no-such-bucket/scans")


def test_an_endpoint_that_does_not_answer(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        Store("s3").below("s3://clinic/scans")


def test_without_credentials(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(OSError, match=r"(?i)credentials"):
        Store("s3").write("s3://clinic/a", b"1")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (FileNotFoundError("gone"), FileNotFoundError),
        (PermissionError(errno.EACCES, "Access Denied"), PermissionError),
        (TimeoutError("too slow"), TimeoutError),
        (ValueError("odd\n answer"), OSError),
        (OSError(errno.EBUSY, "Reduce your request rate"), OSError),
    ],
)
def test_whatever_a_package_raises_is_an_os_error_with_a_number_and_a_reason(raised, expected):
    with pytest.raises(expected) as caught, store._raised_as_os_error():
        raise raised
    assert type(caught.value) is expected
    assert caught.value.errno
    assert "\n" not in caught.value.strerror
    assert caught.value.strerror in (
        "gone",
        "Access Denied",
        "too slow",
        "odd answer",
        "Reduce your request rate",
    )


def test_a_lack_of_memory_is_no_fault_of_the_store():
    with pytest.raises(MemoryError), store._raised_as_os_error():
        raise MemoryError


def test_fsspec_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(StorageError, match=r'^s3:// needs fsspec: pip install "retinagan\[cloud\]"$'):
        Store("s3")


def test_a_package_that_is_missing_is_named(monkeypatch):
    def missing(scheme, **options):
        raise ImportError("Install it")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    monkeypatch.setattr(store, "find_spec", lambda name: None)
    with pytest.raises(StorageError, match=r"^gs:// needs gcsfs: pip install gcsfs$"):
        Store("gs")
    monkeypatch.setattr(store, "find_spec", lambda name: "there")
    with pytest.raises(StorageError, match=r"^az:// needs adlfs: pip install adlfs \(Install it\)$"):
        Store("az")


def test_a_package_that_refuses_its_configuration(monkeypatch):
    def refuse(scheme, **options):
        raise ValueError("Must provide either a connection_string or account_name")

    monkeypatch.setattr(fsspec, "filesystem", refuse)
    with pytest.raises(StorageError, match=r"az:// cannot be opened by adlfs \(Must provide either"):
        Store("az")


@pytest.mark.parametrize(
    ("described", "modified"),
    [
        ({"LastModified": datetime(2026, 1, 1, tzinfo=timezone.utc)}, "1767225600.000000"),
        ({"mtime": 1767225600.5}, "1767225600.500000"),
        ({"updated": "2026-01-01T00:00:00Z"}, "1767225600.000000"),
        ({"updated": "yesterday"}, "yesterday"),
        ({"created": None}, ""),
        ({}, ""),
    ],
)
def test_the_time_of_change_whatever_a_package_calls_it(described, modified):
    assert store._modified(described) == modified


def test_all_urls_of_a_scheme_have_one_store():
    assert store_of("memory://a/b") is store_of("memory://c")


def test_items_come_in_order(monkeypatch):
    assert list(at_once(lambda number: number * 2, range(50))) == list(range(0, 100, 2))


def test_an_object_sorts_by_its_url():
    assert sorted([Object("b", "1", ""), Object("a", "2", "")])[0].url == "a"
