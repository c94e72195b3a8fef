import pytest

from retinagan.runtime.engines.devices import parse_device
from retinagan.runtime.errors import OptionError


@pytest.mark.parametrize(
    ("device", "parsed"),
    [
        ("auto", ("auto", 0)),
        ("cpu", ("cpu", 0)),
        ("cuda", ("cuda", 0)),
        ("cuda:0", ("cuda", 0)),
        ("cuda:12", ("cuda", 12)),
    ],
)
def test_devices(device, parsed):
    assert parse_device(device) == parsed


@pytest.mark.parametrize(
    "device", ["", "gpu", "cuda:", "cuda:-1", "cuda:1.5", "cpu:0", "CUDA", "cuda:1 ", None, 0]
)
def test_what_is_no_device(device):
    with pytest.raises(OptionError) as caught:
        parse_device(device)
    assert str(caught.value) == f'device: got {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"'


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "tensorrt"])
def test_an_engine_is_no_device_and_told_apart(engine):
    with pytest.raises(OptionError, match=rf'"cuda" or "cuda:N"; "{engine}" is an engine$'):
        parse_device(engine)
