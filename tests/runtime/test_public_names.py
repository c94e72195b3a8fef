import importlib
import pkgutil
import subprocess
import sys

import pytest

from retinagan import ace_ext, runtime

MODULES = [
    module.name
    for room in (ace_ext, runtime)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(name):
    """On each Python; a package of an extra may be absent."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "retinagan").startswith("retinagan"):
            raise
        pytest.skip(f"{error.name} is not installed")


@pytest.mark.parametrize("name", runtime.__all__)
def test_every_public_name_is_there(name):
    assert getattr(runtime, name) is not None


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match=r"module 'retinagan\.runtime' has no attribute 'segment'"):
        _ = runtime.segment


def test_an_image_is_read_and_an_overlay_drawn_by_public_names(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from PIL import Image\n"
        "from retinagan.runtime import draw_overlay, read_image\n"
        "Image.fromarray(np.full((8, 9, 3), 7, np.uint8)).save(sys.argv[1])\n"
        "image = read_image(sys.argv[1])\n"
        "pixels = image.pixels\n"
        "everywhere = np.ones(pixels.shape[:2], bool)\n"
        "print(pixels.tolist() == [[[7, 7, 7]] * 9] * 8, draw_overlay(image, everywhere, everywhere).shape)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.stderr) == ("True (8, 9, 3)\n", "")


def test_the_package_itself_imports_nothing_heavy():
    code = (
        "import sys; import retinagan.runtime; "
        "sys.exit(', '.join({'cv2', 'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
