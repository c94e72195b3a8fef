import pytest
import torch

from retinagan.train.loop import devices
from retinagan.train.loop.devices import choose_device, choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def cuda_devices(monkeypatch):
    def pretend(count, capability=(8, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return pretend


def test_auto_takes_a_cuda_device_where_there_is_one(cuda_devices):
    cuda_devices(0)
    assert choose_device("auto") == CPU
    cuda_devices(2)
    assert choose_device("auto") == CUDA
    assert choose_device("auto", 1) == torch.device("cuda", 1)
    assert choose_device("cpu", 1) == CPU


def test_a_device_that_was_asked_for_and_is_missing_is_an_error(cuda_devices):
    cuda_devices(0)
    with pytest.raises(ValueError, match=r"finds 0 CUDA devices, device 0 .*or use --device cpu"):
        choose_device("cuda")
    cuda_devices(2)
    with pytest.raises(ValueError, match="finds 2 CUDA devices, device 2 is requested"):
        choose_device("auto", 2)
    with pytest.raises(ValueError, match="--device tpu: expected one of auto, cpu, cuda"):
        choose_device("tpu")


def test_auto_precision_is_what_the_hardware_computes_in(cuda_devices, monkeypatch):
    cuda_devices(1, (8, 7))
    assert choose_precision("auto", CUDA) == "bf16"
    cuda_devices(1, (7, 2))
    assert choose_precision("auto", CUDA) == "fp16"
    for flag, expected in (("amx_bf16", "bf16"), ("avx512_bf16", "bf16"), ("avx2", "fp32")):
        monkeypatch.setattr(devices, "_cpu_flags", lambda flag=flag: frozenset({"fpu", flag}))
        assert choose_precision("auto", CPU) == expected
    assert choose_precision("fp16", CPU) == "fp16"


def test_the_cpus_flags_are_read(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2\nmodel name : bf16\n")
    assert devices._cpu_flags(tmp_path / "cpuinfo") >= {"fpu", "avx2"}
    assert "bf16" not in devices._cpu_flags(tmp_path / "cpuinfo")
    assert devices._cpu_flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_convolutions_are_computed_in_the_format(precision, kind):
    with devices.autocast(CPU, precision):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (kind or torch.float32)
