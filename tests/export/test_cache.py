from pathlib import Path

import pytest

from retinagan.export.cache import cache_folder


@pytest.mark.parametrize(("named", "expected"), [("/caches", "/caches"), ("", "/home/eye/.cache")])
def test_the_cache_is_where_the_user_has_caches(monkeypatch, named, expected):
    monkeypatch.setenv("HOME", "/home/eye")
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    assert cache_folder() == Path(expected, "retinagan")
