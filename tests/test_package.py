"""What the built files hold, and that the metadata says what it should."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib.metadata import entry_points, metadata, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("ace_ext", "runtime", "train", "export")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel that is built from that sdist: `make test` has built them."""
    if os.environ.get("RETINAGAN_DIST"):
        return Path(os.environ["RETINAGAN_DIST"])
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def wheel_names(built) -> list[str]:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        return wheel.namelist()


@pytest.fixture(scope="module")
def description(built) -> EmailMessage:
    """The built wheel's metadata: fields, and the text that a package index shows."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(wheel.read(name), policy=policy.default)


@pytest.fixture(scope="module")
def sdist_names(built) -> list[str]:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        return [name.partition("/")[2] for name in sdist.getnames()]


def tracked(folder: str, suffix: str) -> list[str]:
    """Files of a room as they lie in the repository, caches left out."""
    found = (ROOT / folder).rglob(f"*{suffix}")
    return [path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts]


def test_the_wheel_holds_every_module_and_the_models(wheel_names):
    wanted = [name for room in ROOMS for name in tracked(room, ".py")]
    for suffix in (".onnx", ".json", ".png"):
        wanted += tracked("runtime/models", suffix)
    wanted += tracked("train/checkpoints", ".pt")
    for suffix in (".html", ".css", ".js"):
        wanted += tracked("runtime/batch/page", suffix)
    assert any(name.endswith(".onnx") for name in wanted)
    assert any(name.endswith(".pt") for name in wanted)
    assert not {f"retinagan/{name}" for name in wanted} - set(wheel_names)
    assert any(re.fullmatch(r"retinagan/ace_ext/_ace\.[\w.-]+\.so", name) for name in wheel_names)
    assert all(f"retinagan/{room}/py.typed" in wheel_names for room in ROOMS)


def test_the_wheel_holds_nothing_else(wheel_names):
    allowed = re.compile(
        r"retinagan/(ace_ext|runtime|train|export)/.*\.(py|so|pyi|onnx|json|pt)"
        r"|retinagan/(ace_ext|runtime|train|export)/py\.typed"
        r"|retinagan/export/proof/\w+\.jpg"
        r"|retinagan/runtime/batch/page/\w+\.(html|css|js)"
        r"|retinagan/runtime/models/self-test[\w-]*\.png"
        r"|retinagan-[^/]+\.dist-info/.*"
    )
    assert [name for name in wheel_names if not allowed.fullmatch(name)] == []


def test_the_wheel_carries_both_licences(wheel_names):
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)
    assert any(name.endswith("licenses/LICENSE-WEIGHTS.md") for name in wheel_names)


def test_the_licence_is_that_of_the_code_and_that_of_the_weights(description):
    assert description["License-Expression"] == "Apache-2.0 AND LicenseRef-Retinagan-Weights"
    assert set(description.get_all("License-File")) == {"LICENSE", "LICENSE-WEIGHTS.md"}


def test_a_package_index_shows_the_readme_without_a_link_that_leads_nowhere(description):
    text = description.get_content()
    assert text.startswith("# Retina-GAN\n")
    assert description["Description-Content-Type"] == "text/markdown"
    assert re.findall(r"\]\((?!https?:)[^)\s]*\)", text) == []


def test_the_wheel_needs_only_libraries_that_every_linux_has(built):
    pytest.importorskip("auditwheel", reason="auditwheel is for Linux")
    command = [sys.executable, "-m", "auditwheel", "show", str(next(built.glob("*.whl")))]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "manylinux" in " ".join(shown.split()), shown


def test_a_package_index_takes_the_files(built):
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.glob("retinagan-*"))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_sdist_holds_the_sources_of_the_extension(sdist_names):
    kernel = {f"ace_ext/{path.name}" for path in ROOT.glob("ace_ext/ace*.[ch]")}
    assert kernel | {"ace_ext/_ace.pyx", "ace_ext/_ace.pxd", "setup.py"} <= set(sdist_names)
    assert "ace_ext/_ace.c" not in sdist_names  # generated


def test_the_sdist_holds_what_builds_the_wheel_and_no_tests(sdist_names):
    assert {"docs/site/links.py", "README.md", "CONTRIBUTING.md", "LICENSE-WEIGHTS.md"} <= set(sdist_names)
    assert [name for name in sdist_names if name.startswith(("tests/", "benchmarks/", "examples/"))] == []


def test_the_c_library_is_built_from_the_sdist(built, tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    command = ["make", "-C", unpacked / "ace_ext", "install", f"PREFIX={tmp_path}/there", "CFLAGS=-O0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "lib" / "libretinagan_ace.a").is_file()
    assert (tmp_path / "there" / "include" / "retinagan" / "ace.h").is_file()


def test_the_extension_shows_nothing_but_its_start(built, tmp_path):
    """So that the kernel in it is its own, also in a program that is linked with libretinagan_ace."""
    if not shutil.which("nm") or sys.platform != "linux":
        pytest.skip("nm is not installed, or this is not Linux")
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".so"))
        extension = wheel.extract(name, tmp_path)
    command = ["nm", "-D", "--defined-only", extension]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1] for line in shown.splitlines()} <= {"PyInit__ace", "_init", "_fini"}


def test_base_dependencies_are_light():
    base = [line for line in requires("retinagan") if "extra ==" not in line]
    assert sorted(re.match(r"[\w-]+", line).group().lower() for line in base) == [
        "numpy",
        "opencv-python-headless",
        "pillow",
        "simplejpeg",
        "tqdm",
    ]


def test_no_extra_pulls_in_both_onnxruntime_packages():
    assert {"cpu", "gpu", "openvino", "tensorrt", "train", "export", "dev"} <= set(
        metadata("retinagan").get_all("Provides-Extra")
    )
    holders = {
        extra: {
            name
            for line in requires("retinagan")
            if f'extra == "{extra}"' in line
            for name in [re.match(r"[\w-]+", line).group().lower()]
        }
        for extra in metadata("retinagan").get_all("Provides-Extra")
    }
    assert "onnxruntime" in holders["cpu"]
    assert "onnxruntime-gpu" in holders["gpu"]
    assert not [extra for extra, names in holders.items() if {"onnxruntime", "onnxruntime-gpu"} <= names]
    assert not [extra for extra, names in holders.items() if "tensorrt" in names and extra != "tensorrt"]


def test_console_scripts_load():
    scripts = {entry.name: entry for entry in entry_points(group="console_scripts")}
    commands = ("retina-run", "retina-doctor", "retina-train", "retina-eval", "retina-reproduce")
    for name in (*commands, "retina-export"):
        assert callable(scripts[name].load())
