"""Bodies of requests, read whole within a limit of size and time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping

from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.values import shown

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(
    chunks: AsyncIterator[bytes], headers: Mapping[str, str], most: int, seconds: float
) -> bytes:
    """Return a request's body as it came.

    Parameters
    ----------
    chunks : async iterator of bytes
        The body as it arrives.
    headers : mapping of str to str
        The request's, by name in lower case.
    most : int
        Largest size in bytes.
    seconds : float
        Longest time that it may take.

    Raises
    ------
    RequestError
        413 if the body is too large, by its declared length or as it came; 408 if it took too long.
    """
    if int(headers.get("content-length", "0")) > most:
        raise _too_large(most)
    body = bytearray()

    async def collect() -> None:
        async for chunk in chunks:
            if len(body) + len(chunk) > most:
                raise _too_large(most)
            body.extend(chunk)

    try:
        await asyncio.wait_for(collect(), seconds)
    except asyncio.TimeoutError:
        raise RequestError(
            f"the body did not arrive within {seconds:g} s ({len(body)} bytes came); send it faster", 408
        ) from None
    return bytes(body)


def decompressed(body: bytes, encoding: str | None, most: int) -> bytes:
    """Return a body without its ``Content-Encoding``; never more than `most` bytes are made.

    Raises
    ------
    RequestError
        415 if the encoding is neither gzip nor deflate, 413 if the content is too large, 400 if it is cut or
        damaged.
    """
    encoding = (encoding or "identity").lower()
    if encoding == "identity":
        return body
    if encoding not in _WINDOW_BITS:
        raise RequestError(f"Content-Encoding: got {shown(encoding)}; expected gzip, deflate or none", 415)
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = decoder.decompress(body, most + 1)
    except zlib.error as error:
        raise RequestError(f"the body is not {encoding} ({error}); compress it again") from None
    if len(content) > most:
        raise _too_large(most)
    if not decoder.eof or decoder.unused_data:
        raise RequestError(f"the body is cut or has more than one {encoding} stream; compress it again")
    return content


def _too_large(most: int) -> RequestError:
    return RequestError(
        f"the request is larger than {most / 2**20:g} MiB; make the image smaller, send its file instead of "
        "its pixels, or start retina-serve with a larger --max-request",
        413,
    )
