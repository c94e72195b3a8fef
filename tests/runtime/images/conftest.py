import pytest


@pytest.fixture
def file(tmp_path):
    """Write content to a file, and return its path."""

    def write(data, name="image"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
