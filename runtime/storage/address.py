"""Which texts are URLs of a store, and their parts. Needs nothing installed."""

import os
import re
from collections.abc import Sequence

from retinagan.runtime.errors import OptionError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "memory": ""}
"""The schemes of stores, and the package that each needs besides fsspec."""

SCHEMES = tuple(f"{scheme}://" for scheme in (*PACKAGES, "file"))
"""How URLs that are read begin."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def scheme_of(text: str) -> str:
    """Return the scheme of a URL in lower case: ``s3`` of ``s3://bucket/scans``; empty for a path."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else ""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL of a store."""
    return isinstance(path, str) and scheme_of(path) in PACKAGES


def check_folder(text: str) -> None:
    """Raise `OptionError` for a URL that can be no output folder."""
    scheme = scheme_of(text)
    if f"{scheme}://" not in ("://", *SCHEMES):
        raise OptionError(f"argument --out: no such kind of URL: {text!r}; expected {', '.join(SCHEMES)}")
    if scheme and not key_of(text):
        raise OptionError(f"argument --out: got {text!r}; expected a bucket or folder after {scheme}://")


def local_path(text: str) -> str:
    """Return the path of a ``file://`` URL, and any other text as it is."""
    return text[len("file://") :] if scheme_of(text) == "file" else text


def key_of(url: str) -> str:
    """Return what follows the scheme, without slashes at the end: ``bucket/scans`` of ``s3://bucket/scans/``."""
    return _SCHEME.sub("", url).strip("/")


def join(url: str, name: str) -> str:
    """Return the URL of a name below another."""
    return f"{url.rstrip('/')}/{name}"


def common_folder(paths: Sequence[str]) -> str:
    """Return the folder that all of some absolute paths, or of some URLs, are in or below.

    Raises
    ------
    ValueError
        If there are both, or URLs of several schemes.
    """
    schemes = {scheme_of(path) for path in paths}
    if len(schemes) > 1:
        raise ValueError(f"several schemes: {', '.join(sorted(schemes))}")
    (scheme,) = schemes
    if not scheme:
        return os.path.commonpath(paths)
    return f"{scheme}://{os.path.commonpath([f'/{key_of(path)}' for path in paths])[1:]}"


def below(path: str, folder: str) -> str:
    """Return the path of a file, or of a URL, from a folder that it is below."""
    return path[len(folder) :].lstrip("/") if is_url(path) else os.path.relpath(path, folder)


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file of this machine, with links as they are; a URL as it is."""
    return path if isinstance(path, str) and is_url(path) else os.path.abspath(path)  # noqa: PTH100
