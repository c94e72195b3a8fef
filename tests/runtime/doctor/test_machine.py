import ctypes
from pathlib import Path

import pytest

from retinagan.runtime.doctor import machine
from retinagan.runtime.errors import EngineError

XEON = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni avx_vnni avx512_bf16 amx_tile
processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ORIN = """\
processor\t: 0
Features\t: fp asimd evtstrm aes asimddp
CPU part\t: 0xd42
"""


class TwoGpus:
    """What is asked of a driver that shows two GPUs."""

    def cuInit(self, flags):
        return 0

    def cuDeviceGetCount(self, count):
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = 7 + ordinal.value
        return 0

    def cuDeviceGetName(self, name, length, device):
        name.value = f"GPU {device.value}".encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory, device):
        memory._obj.value = 12 << 30
        return 0

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 8, 76: 9}[attribute.value]
        return 0

    def cuDriverGetVersion(self, version):
        version._obj.value = 12060
        return 0


def no_library(name):
    raise OSError(name)


def test_a_processor_with_what_matters_to_engines(monkeypatch):
    monkeypatch.setattr(machine, "_cores", lambda: "8 cores")
    assert machine.describe_cpu(XEON) == (
        "Intel(R) Xeon(R) Platinum 8481C; 8 cores; AVX2, AVX-512, VNNI, BF16, AMX"
    )
    assert machine.describe_cpu(ORIN).endswith("; 8 cores; NEON, dot product")
    assert machine.describe_cpu("nothing known").endswith("; 8 cores; no known vector instructions")


def test_this_processor_is_described():
    name, cores, features = machine.describe_cpu().rsplit("; ", 2)
    assert name
    assert "cores" in cores
    assert features


def test_cores_that_a_process_may_not_use_are_told(monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: {3, 4}, raising=False)
    assert machine.describe_cpu(ORIN).split("; ")[1] == "2 of 64 cores usable"


def test_all_gpus_are_named():
    text = machine.describe_gpus(lambda name: TwoGpus())
    assert text == ("GPU 7, compute capability 8.9, 12.0 GiB; GPU 8; the driver supports CUDA up to 12.6")


def test_no_driver_is_told_from_a_broken_one():
    with pytest.raises(EngineError, match="no NVIDIA driver"):
        machine.describe_gpus(no_library)
    assert not machine.has_driver(no_library)
    assert machine.has_driver(lambda name: ctypes.CDLL(None))


@pytest.mark.parametrize(
    ("release", "text"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "Jetson Linux 36.4.3 (JetPack 6)"),
        ("# R99 (release), REVISION: 1.0", "Jetson Linux 99.1.0"),
        ("# of another kind", ""),
        (None, ""),
    ],
)
def test_a_jetson_is_known_by_its_release(tmp_path: Path, release, text):
    path = tmp_path / "nv_tegra_release"
    if release is not None:
        path.write_text(release)
    assert machine.describe_jetson(path) == text
