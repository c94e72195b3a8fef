import os
from pathlib import Path

import pytest

from retinagan.runtime.errors import OptionError
from retinagan.runtime.storage.address import (
    absolute,
    below,
    check_folder,
    common_folder,
    is_url,
    join,
    key_of,
    local_path,
    scheme_of,
)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("s3://bucket/scans", "s3"),
        ("S3://bucket", "s3"),
        ("file:///scans", "file"),
        ("scans/a.png", ""),
        ("C:\\scans", ""),
        ("a:b", ""),
        ("/scans/s3://bucket", ""),
        ("", ""),
    ],
)
def test_the_scheme_is_what_stands_before_the_colon_and_two_slashes(text, scheme):
    assert scheme_of(text) == scheme


def test_urls_are_those_of_stores():
    assert all(map(is_url, ["s3://b", "gs://b/x", "az://c/x", "memory://b", "GS://b"]))
    assert not any(map(is_url, ["file:///scans", "http://example.org/a.png", "scans", Path("s3://b")]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s4://clinic/maps", "no such kind of URL: 's4://clinic/maps'; expected s3://, gs://"),
        ("https://clinic/maps", "no such kind of URL: 'https://clinic/maps'; expected s3://, gs://"),
        ("s3://", "got 's3://'; expected a bucket or folder after s3://"),
        ("file:///", "got 'file:///'; expected a bucket or folder after file://"),
    ],
)
def test_urls_that_can_be_no_output_folder(text, message):
    with pytest.raises(OptionError, match=f"^argument --out: {message}"):
        check_folder(text)


@pytest.mark.parametrize("text", ["maps", "/data/maps", "a:b", "s3:maps", "S3://clinic", "file://maps"])
def test_texts_that_can_be_an_output_folder(text):
    check_folder(text)


def test_a_file_url_is_a_path():
    assert local_path("file:///scans/a b.png") == "/scans/a b.png"
    assert local_path("file://scans") == "scans"
    assert local_path("scans") == "scans"
    assert local_path("s3://b") == "s3://b"


def test_parts():
    assert key_of("s3://bucket/scans/") == "bucket/scans"
    assert join("s3://bucket/scans", "a/b.png") == join("s3://bucket/scans/", "a/b.png")


def test_the_folder_that_all_are_in():
    assert common_folder(["/a/b", "/a/c/d"]) == "/a"
    assert common_folder(["s3://a/b", "s3://a/b/c"]) == "s3://a/b"
    assert common_folder(["s3://a/b", "s3://ab"]) == "s3://"
    with pytest.raises(ValueError, match="several schemes: gs, s3"):
        common_folder(["s3://a", "gs://a"])


def test_names_below_a_folder():
    assert below("/a/b/c.png", "/a") == "b/c.png"
    assert below("s3://a/b/c.png", "s3://a") == "b/c.png"
    assert below("s3://a/b/c.png", "s3://") == "a/b/c.png"


def test_a_url_is_absolute_as_it_is():
    assert absolute("s3://bucket/../a") == "s3://bucket/../a"
    assert absolute("a/../b.png") == str(Path.cwd() / "b.png")
    assert absolute(Path("b.png")) == os.fspath(Path.cwd() / "b.png")
