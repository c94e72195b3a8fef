"""The kernel as a C library: installed as a user does, then used from C, from C++ and by ctypes."""

import ctypes
import os
import platform
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retinagan.ace_ext import ace

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "ace_ext"
EXAMPLES = ROOT / "examples" / "c"
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
NAMES = {
    "ace_direct",
    "ace_equalize_8bit",
    "ace_equalize_float",
    "ace_message",
    "ace_release",
    "ace_supports",
    "ace_version",
}


def run(command, **environment):
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def make(*words, **environment):
    need("make", "cc")
    return run(["make", "-C", KERNEL, *words], **environment)


def version():
    header = (KERNEL / "ace.h").read_text(encoding="utf-8")
    return ".".join(re.findall(r"#define ACE_VERSION_\w+ (\d+)", header))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The folder in which the library is built, once for all tests."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory, build):
    """Where the library is installed."""
    folder = tmp_path_factory.mktemp("installed")
    make("install", f"PREFIX={folder}", f"BUILD={build}")
    return folder


@pytest.fixture(scope="module")
def flags(prefix):
    """What a compiler needs to use the library, as pkg-config gives it."""
    need("pkg-config")
    found = run(
        ["pkg-config", "--cflags", "--libs", "retinagan_ace"], PKG_CONFIG_PATH=f"{prefix}/lib/pkgconfig"
    )
    return [*shlex.split(found), f"-Wl,-rpath,{prefix}/lib"]


class Task(ctypes.Structure):
    """`ace_task` of ace.h."""

    _fields_ = (
        ("height", ctypes.c_size_t),
        ("width", ctypes.c_size_t),
        ("channels", ctypes.c_size_t),
        ("alpha", ctypes.c_double),
        ("threads", ctypes.c_size_t),
        ("variant", ctypes.c_int),
    )


class Workspace(ctypes.Structure):
    """`ace_workspace` of ace.h."""

    _fields_ = (("memory", ctypes.c_void_p), ("bytes", ctypes.c_size_t))


@pytest.fixture(scope="module")
def library(prefix):
    name = "libretinagan_ace.dylib" if sys.platform == "darwin" else "libretinagan_ace.so"
    loaded = ctypes.CDLL(prefix / "lib" / name)
    loaded.ace_version.restype = loaded.ace_message.restype = ctypes.c_char_p
    return loaded


def drawn(height, width, channels, dtype):
    """An image with a gradient, noise and a black corner, and a mask that is 0 there."""
    random = np.random.default_rng(height * width)
    ramp = np.linspace(20, 200, width)[None, :, None] + np.linspace(-20, 20, height)[:, None, None]
    image = np.clip(ramp + random.normal(0, 12, (height, width, channels)), 0, 255)
    mask = np.ones((height, width), bool)
    mask[: height // 4, : width // 4] = False
    image[~mask] = 0
    return (image / 255).astype(np.float32) if dtype == np.float32 else image.astype(np.uint8), mask


def equalize(library, image, mask, alpha, threads):
    call = library.ace_equalize_float if image.dtype == np.float32 else library.ace_equalize_8bit
    workspace, result = Workspace(), np.empty_like(image)
    task = Task(*image.shape, alpha, threads, 0)
    inside = None if mask is None else mask.ctypes.data_as(ctypes.c_void_p)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (image, result)]
    status = call(ctypes.byref(task), pointers[0], inside, ctypes.byref(workspace), pointers[1], None)
    library.ace_release(ctypes.byref(workspace))
    assert status == 0, library.ace_message(status)
    return result


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("shape", "alpha", "threads"), [((20, 31, 3), 5.0, 1), ((601, 512, 3), 8.0, 2)])
def test_results_are_those_of_python_to_the_bit(library, dtype, shape, alpha, threads):
    image, mask = drawn(*shape, dtype)
    for inside in (None, mask):
        expected = ace(image, alpha=alpha, mask=inside)
        assert np.array_equal(equalize(library, image, inside, alpha, threads), expected)
        assert expected.std() > 0


def test_the_checks_of_the_kernel_pass_on_the_installed_library(prefix, flags, tmp_path):
    checks = tmp_path / "checks"
    own = f"-I{prefix}/include/retinagan"
    source = Path(__file__).with_name("kernel_checks.c")
    run(["cc", "-std=c11", *STRICT, own, source, *flags, "-lm", "-o", checks])
    assert run([checks]) == Path(__file__).with_name("kernel_checks.txt").read_text(encoding="utf-8")


def test_the_flags_that_decide_results_are_those_of_the_extension(monkeypatch, build):
    setuptools = pytest.importorskip("setuptools")
    given = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    printed = make("-n", "-B", f"BUILD={build}")
    (line,) = [line for line in printed.splitlines() if " -c ace_kernel.c" in line]
    used = {word for word in shlex.split(line) if word.startswith(("-O", "-std", "-f", "-p", "-W"))}
    assert used - {"-fPIC"} == set(given["ext_modules"][0].extra_compile_args) - {"-fvisibility=hidden"}


def test_flags_of_a_packager_are_used_but_do_not_change_results(tmp_path):
    wild = "CFLAGS=-O1 -march=native -ffp-contract=fast -D_FORTIFY_SOURCE=2"
    printed = make("-n", f"BUILD={tmp_path}", wild, "LDFLAGS=-Wl,--as-needed", "CC=cc -v")
    compiled = next(line for line in printed.splitlines() if "ace_kernel.c" in line)
    assert compiled.startswith("cc -v  -O1 -march=native ")
    assert compiled.index("-ffp-contract=off") > compiled.index("-ffp-contract=fast")
    assert "-Wl,--as-needed" in next(
        line for line in printed.splitlines() if "ace.o" in line and "-lm" in line
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names and symbols are those of ELF")
def test_the_shared_library_has_versioned_names_and_shows_only_the_interface(prefix):
    need("nm", "readelf")
    folder = prefix / "lib"
    assert (folder / "libretinagan_ace.so").readlink() == Path("libretinagan_ace.so.1")
    assert (folder / "libretinagan_ace.so.1").readlink() == Path(f"libretinagan_ace.so.{version()}")
    shown = run(["nm", "-D", "--defined-only", folder / "libretinagan_ace.so"])
    symbols = {line.split()[-1] for line in shown.splitlines() if " T " in line}
    assert symbols == {f"{name}@@RETINAGAN_ACE_1.0" for name in NAMES}
    dynamic = run(["readelf", "-dW", folder / "libretinagan_ace.so"])
    assert "soname: [libretinagan_ace.so.1]" in dynamic
    assert set(re.findall(r"NEEDED.*\[(\w+)", dynamic)) <= {"libc", "libm", "libpthread"}


def test_header_library_and_package_file_say_one_version(library, prefix):
    assert library.ace_version().decode() == version()
    text = (prefix / "lib" / "pkgconfig" / "retinagan_ace.pc").read_text(encoding="utf-8")
    assert f"\nVersion: {version()}\n" in text
    assert f"prefix={prefix}\nincludedir=${{prefix}}/include\nlibdir=${{prefix}}/lib\n" in text


def test_every_status_has_a_sentence_of_its_own(library):
    header = (KERNEL / "ace.h").read_text(encoding="utf-8")
    names = re.findall(r"ACE_[A-Z_]+", re.search(r"enum \{\s*(ACE_OK = 0.*?)\};", header, re.DOTALL)[1])
    messages = [library.ace_message(status).decode() for status in range(len(names))]
    assert messages[0] == "success"
    assert len({*messages, library.ace_message(99).decode()}) == len(names) + 1
    assert "different versions" in library.ace_message(99).decode()


def test_nothing_is_written_outside_of_destdir_and_uninstall_leaves_no_file(build, tmp_path):
    root = tmp_path / "a root"
    words = (
        "PREFIX=/opt/retinagan",
        "LIBDIR=/opt/retinagan/lib/somewhere",
        f"DESTDIR={root}",
        f"BUILD={build}",
    )
    make("install", *words)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert "opt/retinagan/include/retinagan/ace.h" in files
    assert "opt/retinagan/lib/somewhere/libretinagan_ace.a" in files
    text = (root / "opt/retinagan/lib/somewhere/pkgconfig/retinagan_ace.pc").read_text(encoding="utf-8")
    assert "prefix=/opt/retinagan\n" in text
    assert "libdir=${prefix}/lib/somewhere\n" in text
    make("uninstall", *words)
    assert [path for path in root.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("word", ["PREFIX=here", "PREFIX=/a b", "LIBDIR=lib"])
def test_a_place_that_programs_could_not_find_is_refused(word):
    need("make")
    done = subprocess.run(["make", "-C", KERNEL, "-n", word], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "each must be an absolute path" in done.stderr


def test_a_library_for_macos_has_the_names_of_macos(tmp_path):
    """Seen in what make would do: no compiler for macOS is here."""
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho arm64-apple-darwin23.5.0\n")
    compiler.chmod(0o755)
    printed = make("-n", "install", f"CC={compiler}", "PREFIX=/p", f"BUILD={tmp_path}/b")
    (linked,) = [line for line in printed.splitlines() if "-dynamiclib" in line]
    assert "-install_name /p/lib/libretinagan_ace.1.dylib" in linked
    assert linked.endswith(f"/libretinagan_ace.{version()}.dylib")
    assert "ln -sf libretinagan_ace.1.dylib" in printed
    assert "version-script" not in printed
    make(f"{tmp_path}/b/exported", f"CC={compiler}", f"BUILD={tmp_path}/b")
    assert set((tmp_path / "b" / "exported").read_text().split()) == {f"_{name}" for name in NAMES}


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="the recorded ABI is that of Linux on x86-64",
)
class TestABI:
    """Programs that were linked with an earlier 1.x go on working."""

    def test_the_interface_is_the_recorded_one(self, build):
        need("abidiff", "make", "cc")
        command = ["make", "-s", "-C", KERNEL, "check-abi", f"BUILD={build}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (
            f"{done.stdout}{done.stderr}Functions or types of ace.h are not those of version {version()}. "
            "If that is meant, raise the version in ace.h (the first number for what breaks programs, the "
            "second for what is added, with a node in libretinagan_ace.map) and run make -C ace_ext abi."
        )

    def test_a_changed_structure_is_found(self, tmp_path):
        need("abidiff", "make", "cc")
        for path in KERNEL.iterdir():
            if path.suffix in (".c", ".h", ".map", ".in", ".abi") or path.name == "Makefile":
                shutil.copy(path, tmp_path)
        header = tmp_path / "ace.h"
        text = header.read_text(encoding="utf-8")
        assert text.count("    size_t threads;") == 1
        header.write_text(text.replace("    size_t threads;", "    unsigned threads;"), encoding="utf-8")
        command = ["make", "-s", "-C", tmp_path, "check-abi", "BUILD=b"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "type of 'size_t threads' changed" in done.stdout


def test_the_function_of_the_page_compiles(flags, tmp_path):
    page = (ROOT / "docs" / "c-library.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```c\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    source = tmp_path / "page.c"
    source.write_text(
        code + "int main(void) { return equalize(0, 0, 0, 0, 0) == ACE_EMPTY_IMAGE ? 0 : 1; }\n"
    )
    run(["cc", "-std=c11", "-Wall", "-Werror", source, *flags, "-o", tmp_path / "page"])
    run([tmp_path / "page"])


def pnm(path, image):
    kind = b"P6" if image.ndim == 3 else b"P5"
    path.write_bytes(kind + b"\n# drawn\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes())
    return path


@pytest.fixture(scope="module")
def example(flags, tmp_path_factory):
    """The example in C, compiled."""
    program = tmp_path_factory.mktemp("example") / "equalize"
    run(["cc", "-std=c11", *STRICT, EXAMPLES / "equalize.c", *flags, "-o", program])
    return program


def test_the_example_in_c_equalizes_a_picture(example, tmp_path):
    image, mask = drawn(60, 81, 3, np.uint8)
    pnm(tmp_path / "in.ppm", image)
    pnm(tmp_path / "mask.pgm", mask.view(np.uint8))
    run([example, tmp_path / "in.ppm", tmp_path / "out.ppm", tmp_path / "mask.pgm"])
    content = (tmp_path / "out.ppm").read_bytes()
    assert content == b"P6\n81 60\n255\n" + ace(image, mask=mask).tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: equalize IMAGE OUT [MASK]"),
        (["none.ppm", "out.ppm"], "none.ppm: No such file or directory"),
        (["other.png", "out.ppm"], "other.png: not a binary PPM or PGM file of 8 bits"),
        (["short.pgm", "out.ppm"], "short.pgm: the file ends before its last row"),
        (["huge.ppm", "out.ppm"], "huge.ppm: not"),
        (["in.pgm", "no/out.pgm"], "no/out.pgm: No such file or directory"),
        (["in.pgm", "out.pgm", "tall.pgm"], "tall.pgm: 3 x 5 x 1, expected 4 x 4 x 1 as the image has"),
        (["in.pgm", "out.pgm", "nothing.pgm"], f"ACE {version()}: the mask has no pixel other than 0"),
    ],
)
def test_the_example_in_c_says_what_is_wrong(example, arguments, message, tmp_path):
    pnm(tmp_path / "in.pgm", np.arange(16, dtype=np.uint8).reshape(4, 4))
    pnm(tmp_path / "tall.pgm", np.ones((5, 3), np.uint8))
    pnm(tmp_path / "nothing.pgm", np.zeros((4, 4), np.uint8))
    (tmp_path / "other.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "short.pgm").write_bytes(b"P5 4 4 255 abc")
    (tmp_path / "huge.ppm").write_bytes(b"P6 99999999999999999999 1 255 abc")
    done = subprocess.run([example, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_the_header_is_one_of_cpp_and_the_static_library_is_enough(prefix, tmp_path):
    need("c++")
    source, program = tmp_path / "use.cpp", tmp_path / "use"
    source.write_text(
        "#include <retinagan/ace.h>\n#include <cstdio>\n"
        "int main() {\n"
        "    const unsigned char image[4] = {9, 5, 7, 200};\n"
        "    unsigned char result[4];\n"
        "    ace_workspace workspace = {nullptr, 0};\n"
        "    const ace_task task = {2, 2, 1, 5.0, 1, ACE_BEST};\n"
        "    if (ace_equalize_8bit(&task, image, nullptr, &workspace, result, nullptr) != ACE_OK) return 1;\n"
        "    ace_release(&workspace);\n"
        '    std::printf("%d %d %d %d\\n", result[0], result[1], result[2], result[3]);\n'
        "}\n"
    )
    library = prefix / "lib" / "libretinagan_ace.a"
    run(["c++", "-std=c++11", *STRICT, f"-I{prefix}/include", source, library, "-pthread", "-o", program])
    expected = ace(np.array([[9, 5], [7, 200]], np.uint8)).ravel()
    assert run([program]) == " ".join(map(str, expected)) + "\n"


def test_the_example_in_cpp_equalizes_a_picture_of_opencv(flags, tmp_path):
    cv2 = pytest.importorskip("cv2")
    need("c++")
    known = subprocess.run(["pkg-config", "--exists", "opencv4"], check=False).returncode == 0
    if not known:
        pytest.skip("OpenCV's C++ headers are not installed (pkg-config opencv4; libopencv-dev on Debian)")
    include = shlex.split(run(["pkg-config", "--cflags", "opencv4"]))
    program = tmp_path / "equalize_opencv"
    source = EXAMPLES / "equalize_opencv.cpp"
    linked = ["-lopencv_imgcodecs", "-lopencv_core"]
    run(["c++", "-std=c++11", "-Wall", "-Wextra", *include, source, *flags, *linked, "-o", program])
    image, mask = drawn(60, 81, 3, np.uint8)
    cv2.imwrite(str(tmp_path / "in.png"), image)
    cv2.imwrite(str(tmp_path / "mask.png"), mask.view(np.uint8) * 255)
    run([program, tmp_path / "in.png", tmp_path / "out.png", tmp_path / "mask.png"])
    assert np.array_equal(cv2.imread(str(tmp_path / "out.png")), ace(image, mask=mask))
    missing = subprocess.run([program, "none.png", "out.png"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "none.png cannot be read as an image\n" in missing.stderr
