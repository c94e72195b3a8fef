import asyncio
import gzip
import zlib

import pytest

from retinagan.runtime.serve.bodies import decompressed, read_body
from retinagan.runtime.serve.errors import RequestError


async def arriving(*chunks, then=None):
    for chunk in chunks:
        yield chunk
    if then is not None:
        await then.wait()


def read(chunks, most=10, seconds=20.0, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(read_body(chunks, named, most, seconds))


def test_a_body_in_pieces():
    assert read(arriving(b"abc", b"", b"defghij"), content_length="10") == b"abcdefghij"
    assert read(arriving()) == b""


def test_a_body_that_declares_too_much_is_not_read():
    async def never():
        raise AssertionError
        yield b""

    with pytest.raises(RequestError, match="MiB; make the image smaller") as caught:
        read(never(), content_length="11")
    assert caught.value.status == 413


def test_a_body_that_grows_too_large_is_dropped():
    async def endless():
        while True:
            yield b"abcd"

    with pytest.raises(RequestError, match="start retina-serve with a larger --max-request") as caught:
        read(endless())
    assert caught.value.status == 413


def test_a_body_that_does_not_arrive():
    async def stalled():
        chunks = arriving(b"abc", then=asyncio.Event())
        return await read_body(chunks, {}, 10, 0.01)

    with pytest.raises(RequestError, match=r"did not arrive within 0.01 s \(3 bytes came\)") as caught:
        asyncio.run(stalled())
    assert caught.value.status == 408


@pytest.mark.parametrize("encoding", [None, "", "identity"])
def test_a_body_as_it_is(encoding):
    body = b"abc"
    assert decompressed(body, encoding, 3) is body


def test_the_name_of_an_encoding_in_capitals():
    assert decompressed(gzip.compress(b"abc"), "GZIP", 3) == b"abc"
    assert decompressed(b"abc", "Identity", 3) == b"abc"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body(encoding, compress):
    packed = compress(b"a" * 1000)
    assert decompressed(packed, encoding, 1000) == b"a" * 1000
    with pytest.raises(RequestError, match="the request is larger than") as caught:
        decompressed(packed, encoding, 999)
    assert caught.value.status == 413
    for damaged in (packed[:-1], packed + b"x", packed + packed):
        with pytest.raises(RequestError, match=f"the body is cut or has more than one {encoding} stream"):
            decompressed(damaged, encoding, 1000)
    with pytest.raises(RequestError, match=f"the body is not {encoding} "):
        decompressed(b"abc", encoding, 1000)


def test_an_encoding_that_is_not_known():
    with pytest.raises(
        RequestError, match='Content-Encoding: got "br"; expected gzip, deflate or none'
    ) as caught:
        decompressed(b"", "br", 1)
    assert caught.value.status == 415
