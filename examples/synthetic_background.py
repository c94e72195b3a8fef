"""The retina behind and round the vessels: pigment, choroid, macula, nerve fibres, optic disc."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from synthetic_drawing import DrawnVessels, View
from synthetic_vessels import FOVEA

# absorption of blood in red, green and blue light, green 1: blood without oxygen takes more red
VENOUS = np.array((0.40, 1.0, 0.48), np.float32)
ARTERIAL = np.array((0.24, 1.0, 0.54), np.float32)


@dataclass(frozen=True)
class Pigment:
    """Colouring of one eye.

    Attributes
    ----------
    retina : tuple of float
        RGB at the posterior pole, 0 to 255.
    choroid : float
        How plainly the choroid's vessels shine through.
    """

    retina: tuple[float, float, float]
    choroid: float


def choose_pigment(rng: np.random.Generator) -> Pigment:
    """Mix one eye's colouring out of four: fair, rosy, olive, dark."""
    share = rng.dirichlet((0.5, 0.5, 0.5, 0.5))
    colors = np.array(((242, 122, 74), (216, 98, 64), (196, 122, 69), (166, 88, 47)), float)
    retina = share @ colors * rng.normal(1, (0.02, 0.03, 0.05))
    choroid = rng.uniform(0.5, 1.0) * (share @ (1.0, 1.1, 0.6, 0.3))
    return Pigment(tuple(float(value) for value in retina), float(choroid))


def paint_retina(rng: np.random.Generator, view: View, drawn: DrawnVessels) -> np.ndarray:
    """Paint an evenly lit retina with its vessels.

    Parameters
    ----------
    rng : numpy.random.Generator
    view : View
    drawn : DrawnVessels

    Returns
    -------
    ndarray, (height, width, 3) float32, RGB, 0 to about 255
    """
    pigment = choose_pigment(rng)
    x, y = view.degrees()
    tone = _tone(rng, view, pigment)
    tone += _macula(x, y)
    retina = np.array(pigment.retina, np.float32) * np.exp(tone)
    retina += _nerve_fibres(rng, view)[..., None] * np.array((14, 17, 13), np.float32)
    retina = _disc(rng, view, retina)
    hidden = 1 - 0.75 * np.clip(drawn.arteries / 0.3, 0, 1)  # a vein mostly passes below an artery
    blood = (drawn.veins * hidden)[..., None] * VENOUS + drawn.arteries[..., None] * ARTERIAL
    return retina * np.exp(-blood * (1 - np.minimum(drawn.reflex, 0.8))[..., None])


def _noise(rng: np.random.Generator, view: View, grain: float) -> np.ndarray:
    """Smooth noise of unit variance with spots of about ``grain`` degrees."""
    step = max(grain * abs(view.scale[0]) / 2, 1.0)
    shape = (int(view.height / step) + 5, int(view.width / step) + 5)
    coarse = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 1.0)
    coarse /= 0.282  # what the blur leaves of the standard deviation
    size = (int(shape[1] * step) + 1, int(shape[0] * step) + 1)
    top, left = int(2 * step), int(2 * step)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return fine[top : top + view.height, left : left + view.width]


def _tone(rng: np.random.Generator, view: View, pigment: Pigment) -> np.ndarray:
    """Logarithm of the colour's deviation: broad clouds, choroidal vessels, mottled pigment."""
    clouds = _noise(rng, view, 9.0)[..., None] * np.array((0.03, 0.05, 0.04), np.float32)
    clouds = clouds + _noise(rng, view, 6.0)[..., None] * np.array((0.035, -0.015, -0.02), np.float32)
    winding = np.exp(-((_noise(rng, view, 2.2) / 0.35) ** 2)) + np.exp(-((_noise(rng, view, 1.5) / 0.3) ** 2))
    patches = np.clip(0.5 + 0.6 * _noise(rng, view, 6.0), 0, 1.5)
    choroid = (winding - 0.6) * patches * pigment.choroid
    tone = clouds + choroid[..., None] * np.array((0.05, 0.04, 0.015), np.float32)
    x, y = view.degrees()
    eccentricity = (np.hypot(x - FOVEA[0], y - FOVEA[1]) / 20)[..., None] ** 2
    tone = tone + eccentricity * np.array((-0.12, 0.0, 0.05), np.float32)  # greyer towards the rim
    for grain, size in ((0.9, 0.009), (0.4, 0.012), (0.18, 0.015), (0.08, 0.015)):
        tone = tone + (size * _noise(rng, view, grain))[..., None] * np.array((0.7, 1.0, 0.8), np.float32)
    return tone


def _macula(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logarithm of the macula's darkening: yellow pigment over a wide dark spot, the fovea's pit within."""
    away = (x - FOVEA[0]) ** 2 + (1.1 * (y - FOVEA[1])) ** 2
    wide = np.exp(-away / (2 * 2.8**2))[..., None] * np.array((-0.16, -0.26, -0.20), np.float32)
    pit = np.exp(-away / (2 * 0.8**2))[..., None] * np.array((-0.03, -0.14, -0.10), np.float32)
    return wide + pit


def _nerve_fibres(rng: np.random.Generator, view: View) -> np.ndarray:
    """Pale streaks that leave the disc and arch with the arcades, thick above and below it."""
    x, y = view.degrees()
    x, y = np.broadcast_arrays(x, y)
    away = np.hypot(x, y)
    # a bundle is a parabola out of the disc; its angle there, and the noise along it, make the streaks
    bundle = np.arctan2(np.abs(y), -x / (x**2 + 1.5) ** 0.22) / np.pi
    noise = cv2.GaussianBlur(rng.normal(0, 1, (96, 1400)).astype(np.float32), (0, 0), sigmaX=1.0, sigmaY=5.0)
    column = np.where(y < 0, 0, 700) + bundle * 699
    streaks = cv2.remap(
        noise / noise.std(),
        column.astype(np.float32),
        (away * 3).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_WRAP,
    )
    thick = np.exp(-(((bundle - 0.40) / 0.12) ** 2)) + 0.12
    fade = np.exp(-((np.clip(away - 3.5, 0, None) / 8) ** 2))
    return (thick * fade * (0.4 + 0.27 * streaks)).astype(np.float32)


def _disc(rng: np.random.Generator, view: View, retina: np.ndarray) -> np.ndarray:
    """Lay the optic disc over the retina: dark margin, rim paler on the temporal side, bright cup."""
    x, y = view.degrees()
    wide, high = rng.uniform(2.75, 3.1), rng.uniform(3.1, 3.5)
    out = np.hypot(x / wide, y / high) * (1 + 0.018 * _noise(rng, view, 1.6))
    temporal = np.clip(0.5 - 0.5 * x / wide, 0, 1)
    margin = np.exp(-(((out - 1.1) / 0.1) ** 2)) * 0.09 * temporal
    retina = retina * (1 - margin[..., None] * np.array((0.7, 1.0, 0.9), np.float32))
    glow = np.exp(-((np.clip(out - 0.85, 0, None) / 0.5) ** 2))[..., None] * np.array(
        (10, 14, 10), np.float32
    )
    rosy, yellow = np.array((262, 158, 88), np.float32), np.array((300, 214, 120), np.float32)
    pale = np.clip(temporal + 0.12 * _noise(rng, view, 1.8), 0, 1)[..., None]
    rim = rosy + (yellow - rosy) * pale
    cup_x, cup_y, cup = rng.uniform(-0.9, -0.3), rng.uniform(-0.2, 0.2), rng.uniform(0.3, 0.55)
    depth = _edge(np.hypot((x - cup_x) / wide, (y - cup_y) / high) / cup, 0.5)[..., None]
    inside = rim + (np.array((318, 264, 184), np.float32) - rim) * depth * 0.85
    inside = inside * (1 + 0.025 * _noise(rng, view, 0.6) + 0.02 * _noise(rng, view, 0.25))[..., None]
    cover = _edge(out, 0.12 - 0.05 * temporal)[..., None]
    return (retina + glow) * (1 - cover) + inside * cover


def _edge(distance: np.ndarray, softness: float) -> np.ndarray:
    """1 inside of distance 1, 0 outside, with a soft step."""
    return 1 / (1 + np.exp(np.clip((distance - 1) / (softness / 2), -30, 30)))
