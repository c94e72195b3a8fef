import pytest

from retinagan.runtime.console.addresses import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_alone_reaches_a_loopback_address(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "::1234", "pacs.example", "localhost.example", "127.example", ""]
)
def test_other_machines_may_reach_any_other(host):
    assert not is_loopback(host)
