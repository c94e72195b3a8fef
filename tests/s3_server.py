"""An S3 server on this machine (moto), in memory, for tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from retinagan.runtime.storage import store

BUCKET = "clinic"


@contextmanager
def s3_server() -> Iterator[str]:
    """Start the server in a thread; yield its address, to which the environment leads clients."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            patch.setenv("AWS_ENDPOINT_URL", address)
            patch.setenv("AWS_ACCESS_KEY_ID", "testing")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            _forget_clients()
            yield address
            _forget_clients()
    finally:
        server.stop()


def _forget_clients() -> None:
    """Forget the clients of a server before, which fsspec keeps and which would ask at its address."""
    pytest.importorskip("fsspec").get_filesystem_class("s3").clear_instance_cache()
    store._store.cache_clear()


def new_bucket(name: str = BUCKET) -> str:
    """Make a bucket, or empty the one of this name; return its URL."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("s3", use_listings_cache=False)
    if files.exists(name):
        files.rm(name, recursive=True)
    files.mkdir(name)
    return f"s3://{name}"
