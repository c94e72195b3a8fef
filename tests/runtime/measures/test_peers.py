"""Measures beside those of other packages, in an environment that `make peers` installs."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from vessel_drawings import arc, draw, line, wave

pytest.importorskip("skimage")

from retinagan.runtime.measures.dimension import box_counting_dimension
from retinagan.runtime.measures.measure import measure

PEERS = os.environ.get("RETINAGAN_PEERS")
pytestmark = pytest.mark.skipif(not PEERS, reason="RETINAGAN_PEERS names no Python with skan and PVBM")

SIZE = 700
DRAWN = {
    "along the grid": [
        line((-0.4, -0.2), (0.4, -0.2), 0.012),
        line((0.1, -0.1), (0.1, 0.3), 0.01),
        line((-0.3, 0), (0, 0.3), 0.02),
    ],
    "aslant": [line((-0.4, -0.4 * np.tan(np.pi / 8)), (0.4, 0.4 * np.tan(np.pi / 8)), 0.012)],
    "branches": [
        wave((-0.5, 0), (0.5, 0.05), 0.03, 1.5, 0.016),
        line((-0.2, 0.02), (0.1, 0.4), 0.009),
        line((0.1, 0), (0.3, -0.35), 0.011),
        line((-0.05, 0.21), (-0.2, 0.35), 0.006),
        arc((0.2, -0.2), 0.3, (160, 215), 0.008),
    ],
}
FRACTALS = {"carpet": np.log(8) / np.log(3), "cross": np.log(5) / np.log(3), "triangle": np.log2(3)}


def fractal(name: str) -> np.ndarray:
    one, none = np.ones((1, 1), bool), np.zeros((1, 1), bool)
    for _ in range(9 if name == "triangle" else 6):
        if name == "carpet":
            one = np.block([[one, one, one], [one, none, one], [one, one, one]])
        elif name == "cross":
            one = np.block([[one, none, one], [none, one, none], [one, none, one]])
        else:
            one = np.block([[one, none], [one, one]])
        none = np.zeros_like(one)
    return one


@pytest.fixture(scope="module")
def maps():
    return {name: draw(vessels, SIZE) for name, vessels in DRAWN.items()}


@pytest.fixture(scope="module")
def theirs(maps, tmp_path_factory) -> dict[str, dict[str, float]]:
    folder, script = tmp_path_factory.mktemp("peers"), Path(__file__).parents[2] / "measure_peers.py"
    files = [folder / "maps.npz", folder / "fractals.npz"]
    np.savez(files[0], **{name: drawn.vessels for name, drawn in maps.items()})
    np.savez(files[1], **{name: fractal(name) for name in FRACTALS})
    done = subprocess.run([PEERS, script, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def ours(maps):
    return {name: measure(drawn, every_measure=True) for name, drawn in maps.items()}


@pytest.mark.parametrize("name", DRAWN)
def test_area_segments_and_ends_are_the_same(name, ours, theirs, maps):
    assert ours[name]["area_density"] * maps[name].roi.sum() == pytest.approx(theirs[name]["PVBM area"])
    assert ours[name]["segments"] == theirs[name]["skan branches"]
    at = [kind for segment in ours[name].segments for kind in (segment.start_at, segment.end_at)]
    assert at.count("end") + at.count("rim") == theirs[name]["PVBM ends"]


def test_length_along_the_grid_is_that_of_skan(ours, theirs):
    found = ours["along the grid"]["length_pixels"]
    assert found == pytest.approx(theirs["along the grid"]["skan length"], rel=0.005)


def test_length_aslant_is_shorter_than_the_steps_that_skan_adds_up(ours, theirs):
    found, drawn = ours["aslant"]["length_pixels"], DRAWN["aslant"][0].length * SIZE * 0.96
    assert found == pytest.approx(drawn, rel=0.01)
    assert theirs["aslant"]["skan length"] / found == pytest.approx(1.082, abs=0.01)
    branches = theirs["branches"]["skan length"] / ours["branches"]["length_pixels"]
    assert 1 < branches < 1.082


@pytest.mark.parametrize(("name", "dimension"), FRACTALS.items())
def test_the_dimension_of_a_fractal_is_closer_than_that_of_pvbm(name, dimension, theirs):
    pixels = fractal(name)
    found = box_counting_dimension(pixels, len(pixels), (0, 0)).dimension
    assert found == pytest.approx(dimension, abs=0.02)
    assert theirs[name]["PVBM dimension"] == pytest.approx(dimension, abs=0.1)
    assert abs(found - dimension) < abs(theirs[name]["PVBM dimension"] - dimension)
