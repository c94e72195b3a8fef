import pytest

from retinagan.runtime.engines.cuda.driver import LIBRARY, Gpu, call, find_gpu
from retinagan.runtime.errors import EngineError


class Driver:
    """What is asked of libcuda.so.1; `errors` gives functions their error codes."""

    def __init__(self, count: int = 1, **errors: int) -> None:
        self.count, self.errors, self.started = count, errors, False

    def cuInit(self, flags):
        self.started = True
        return self.errors.get("cuInit", 0)

    def cuDeviceGetCount(self, count):
        assert self.started
        count._obj.value = self.count
        return self.errors.get("cuDeviceGetCount", 0)

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = 40 + ordinal.value
        return 0

    def cuDeviceGetName(self, name, length, device):
        self.named = device.value
        name.value = "Orin é".encode()[: length.value]
        return 0

    def cuDeviceTotalMem_v2(self, memory, device):
        memory._obj.value = 64 << 30
        return 0

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 8, 76: 7}[attribute.value]
        return self.errors.get("cuDeviceGetAttribute", 0)

    def cuDriverGetVersion(self, version):
        version._obj.value = 12060
        return 0

    def cuGetErrorName(self, code, text):
        if code.value != 100:
            return 1
        text._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return 0


def test_a_gpu_is_described():
    opened = []

    def open_library(name):
        opened.append(name)
        return Driver()

    assert find_gpu(open_library) == Gpu("Orin é", "8.7", 64 << 30, "12.6")
    assert opened == [LIBRARY]


def test_a_gpu_has_a_number():
    driver = Driver(count=2)
    find_gpu(lambda name: driver, 1)
    assert driver.named == 41


@pytest.mark.parametrize(("count", "gpus"), [(1, "1 GPU"), (2, "2 GPUs")])
def test_a_number_that_no_gpu_has(count, gpus):
    with pytest.raises(
        EngineError, match=f"^there is no cuda:2: the NVIDIA driver finds {gpus}, numbered from 0$"
    ):
        find_gpu(lambda name: Driver(count), 2)


def test_no_driver():
    def open_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(
        EngineError, match=r"no NVIDIA driver \(libcuda\.so\.1 is not found\): install one, or"
    ):
        find_gpu(open_library)


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        (
            Driver(cuInit=100),
            r"not usable \(cuInit returns error 100 CUDA_ERROR_NO_DEVICE\): check nvidia-smi",
        ),
        (Driver(cuInit=999), r"not usable \(cuInit returns error 999\)"),
        (Driver(cuDeviceGetCount=3), "cuDeviceGetCount returns error 3"),
        (Driver(count=0), r"finds no GPU: check nvidia-smi and the variable CUDA_VISIBLE_DEVICES"),
        (Driver(cuDeviceGetAttribute=101), "cuDeviceGetAttribute returns error 101"),
    ],
)
def test_a_driver_without_a_gpu_to_use(driver, message):
    with pytest.raises(EngineError, match=message):
        find_gpu(lambda name: driver)


def test_a_driver_that_is_too_old():
    with pytest.raises(EngineError) as caught:
        call(Driver(), "cuFromTheFuture")
    assert str(caught.value) == "the NVIDIA driver is too old (it has no cuFromTheFuture): update it"
