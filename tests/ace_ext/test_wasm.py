"""The kernel as a WebAssembly module: another instruction set, another C library, the same bits."""

import importlib.util
import os
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retinagan.ace_ext import ace

KERNEL = Path(__file__).parents[2] / "ace_ext"
BEST, PORTABLE, AVX2 = 0, 1, 2


def zig():
    """The command of Zig's compiler; skips the test if there is none."""
    if os.environ.get("RETINAGAN_ZIG"):
        return os.environ["RETINAGAN_ZIG"]
    if shutil.which("zig"):
        return "zig"
    if importlib.util.find_spec("ziglang"):
        return f"{shlex.quote(sys.executable)} -m ziglang"
    pytest.skip("Zig is not installed: make zig, or pip install ziglang")
    return ""


class Module:
    """An instance of the module, with its memory."""

    def __init__(self, wasmtime, path):
        engine = wasmtime.Engine()
        module = wasmtime.Module.from_file(engine, str(path))
        self.imports = [item.name for item in module.imports]
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.call("_initialize")

    def call(self, name, *arguments):
        return self.exports[name](self.store, *arguments)

    def place(self, content):
        """Copy bytes into the module's memory; return their address."""
        at = self.call("malloc", max(1, len(content)))
        assert at != 0
        self.exports["memory"].write(self.store, content, at)
        return at

    def read(self, at, count):
        return bytes(self.exports["memory"].read(self.store, at, at + count))

    def sentence(self, name, *arguments):
        at = self.call(name, *arguments)
        return self.read(at, 200).partition(b"\0")[0].decode()

    def equalize(self, image, mask=None, alpha=5.0, threads=1, variant=BEST):
        """Equalize as `ace` does; return the status and the result."""
        function = "ace_equalize_float" if image.dtype == np.float32 else "ace_equalize_8bit"
        task = self.place(struct.pack("<IIIxxxxdIi", *image.shape, alpha, threads, variant))
        pixels, result = self.place(image.tobytes()), self.place(bytes(image.nbytes))
        inside = 0 if mask is None else self.place(mask.tobytes())
        workspace = self.place(bytes(8))
        status = self.call(function, task, pixels, inside, workspace, result, 0)
        values = np.frombuffer(self.read(result, image.nbytes), image.dtype).reshape(image.shape)
        self.call("ace_release", workspace)
        for at in (task, pixels, result, inside, workspace):
            self.call("free", at)
        return status, values


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    wasmtime = pytest.importorskip("wasmtime")
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("wasm")
    command = ["make", "-C", KERNEL, "wasm", f"BUILD={folder}", f"ZIG={zig()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Module(wasmtime, folder / "libretinagan_ace.wasm")


def drawn(height, width, channels):
    random = np.random.default_rng(height * width)
    ramp = np.linspace(10, 210, width)[None, :, None] + np.linspace(-30, 30, height)[:, None, None]
    image = np.clip(ramp + random.normal(0, 15, (height, width, channels)), 0, 255).astype(np.uint8)
    mask = np.hypot(*np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]) < 1
    return image, mask


@pytest.mark.parametrize("alpha", [5.0, 15.0, 40.0])
@pytest.mark.parametrize("shape", [(3, 5, 3), (45, 61, 4), (120, 99, 3), (392, 389, 1), (605, 613, 1)])
def test_results_are_those_of_this_machine_to_the_bit(module, shape, alpha):
    image, mask = drawn(*shape)
    for pixels in (image, (image / 255).astype(np.float32)):
        for inside in (None, mask):
            status, result = module.equalize(pixels, inside, alpha)
            assert status == 0
            assert result.tobytes() == ace(pixels, alpha=alpha, mask=inside).tobytes()


def test_the_module_needs_nothing_of_its_host(module):
    assert module.imports == []


def test_it_has_no_threads_and_only_the_portable_variant_and_says_so(module):
    image, _ = drawn(200, 190, 1)
    status, _ = module.equalize(image, threads=2)
    assert module.sentence("ace_message", status) == "a thread could not be started; set threads to 1"
    assert [module.call("ace_supports", variant) for variant in (BEST, PORTABLE, AVX2)] == [1, 1, 0]
    status, _ = module.equalize(image, variant=AVX2)
    assert "does not support the requested variant" in module.sentence("ace_message", status)


def test_what_it_refuses_leaves_it_usable(module):
    image, mask = drawn(40, 50, 3)
    status, _ = module.equalize(image, np.zeros_like(mask))
    assert module.sentence("ace_message", status).startswith("the mask has no pixel")
    status, _ = module.equalize(image, alpha=0.5)
    assert module.sentence("ace_message", status).startswith("alpha is outside 1 to 255")
    status, result = module.equalize(image, mask)
    assert (status, result.tobytes()) == (0, ace(image, mask=mask).tobytes())
