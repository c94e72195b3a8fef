"""Write the snapshots of TensorRT's Python interface that the tests hold our code to.

Usage: python tests/data/tensorrt_api/regenerate.py   (Linux x86-64, Python 3.10 or 3.11, gcc, binutils)

The public wheels of the bindings come without TensorRT's libraries. Libraries of the same names whose
functions do nothing are enough to import them, and then every class shows its names.
"""

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType

WHEELS = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",
    "10.16.1": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4.0": "tensorrt-cu13-bindings==11.4.0.106",
    "rtx-1.7.1": "tensorrt-rtx-cu13-bindings==1.7.1.116",
}
CLASSES = (
    "Builder",
    "BuilderFlag",
    "DataType",
    "ErrorCode",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITimingCache",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "Runtime",
    "TensorIOMode",
)
"""What the builder and the runtime's adapter use."""


def main() -> None:
    """Write ``<version>.json`` for every version, each read in a process of its own."""
    for version, requirement in WHEELS.items():
        command = [sys.executable, __file__, requirement]
        shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        Path(__file__).with_name(f"{version}.json").write_text(shown)
        print(version, sum(map(len, json.loads(shown).values())), "names")


def snapshot(requirement: str) -> dict[str, list[str]]:
    """Give the public names of each class in `CLASSES` that a version has."""
    with tempfile.TemporaryDirectory() as folder:
        extension = _unpacked(requirement, Path(folder))
        for library in _stubs(extension, Path(folder)):
            _load(library)
        module = _import(extension)
        return {
            name: sorted(entry for entry in dir(getattr(module, name)) if not entry.startswith("_"))
            for name in CLASSES
            if hasattr(module, name)
        }


def _unpacked(requirement: str, folder: Path) -> Path:
    """Download the wheel and give the path of its extension module."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True, stdout=sys.stderr)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (extension,) = folder.glob("tensorrt*/tensorrt*.so")
    return extension


def _stubs(extension: Path, folder: Path) -> list[Path]:
    """Compile a library for every NVIDIA one that the extension wants; all have all missing functions."""
    needed = subprocess.run(["readelf", "-d", extension], check=True, capture_output=True, text=True).stdout
    names = [line.partition("[")[2].rstrip("]") for line in needed.splitlines() if "(NEEDED)" in line]
    undefined = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], check=True, capture_output=True, text=True
    ).stdout
    symbols = [line.split()[-1] for line in undefined.splitlines()]
    wanted = [
        name for name in symbols if "@" not in name and not name.startswith(("Py", "_Py", "_ITM", "__"))
    ]
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in wanted))
    libraries = [folder / name for name in names if "nv" in name or "tensorrt" in name]
    for library in libraries:
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{library.name}", "-o", library, source],
            check=True,
        )
    return libraries


def _load(library: Path) -> None:
    import ctypes

    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)


def _import(extension: Path) -> ModuleType:
    name = extension.name.partition(".")[0]
    loader = importlib.machinery.ExtensionFileLoader(name, str(extension))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(snapshot(sys.argv[1]), separators=(",", ":")).replace("],", "],\n"))
    else:
        main()
