"""Fundus cameras: frame size, margins, the shape of the field, optics, sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

PIXELS_PER_DEGREE = 12.0  # the scale at which blur and grain below are given


@dataclass(frozen=True)
class Camera:
    """What a camera makes of the retina before it.

    Attributes
    ----------
    height, width : int
        Frame size in pixels.
    center_x, center_y, radius : float
        Circle of the field of view in pixels; it may reach outside the frame.
    field : float
        Angle across that circle, degrees.
    notch : float
        Width of the tab on the field's upper right rim that tells up from down, share of the radius; 0: none.
    blur : float
        Standard deviation of the optics' blur in the green channel, pixels at 12 pixels per degree.
    grain : float
        Standard deviation of the sensor's noise in mid grey, grey levels.
    exposure : float
        Factor on all intensities, 1 for a well exposed picture.
    tint : tuple of float
        Factors on red, green and blue.
    falloff : float
        Share of the light lost at the field's rim.
    rim : float
        Softness of the field's rim, pixels.
    stray : float
        Grey level of the frame outside the field.
    jpeg : int
        Quality of the camera's own JPEG compression.
    """

    height: int
    width: int
    center_x: float
    center_y: float
    radius: float
    field: float = 45.0
    notch: float = 0.0
    blur: float = 0.75
    grain: float = 2.6
    exposure: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    falloff: float = 0.22
    rim: float = 0.8
    stray: float = 4.0
    jpeg: int = 94

    @property
    def pixels_per_degree(self) -> float:
        """Scale of the picture."""
        return 2 * self.radius / self.field

    def scaled(self, factor: float) -> Camera:
        """Return the same camera with all pixel sizes multiplied by ``factor``."""
        sizes = {name: getattr(self, name) * factor for name in ("center_x", "center_y", "radius", "rim")}
        return replace(self, height=round(self.height * factor), width=round(self.width * factor), **sizes)


CAMERAS = {
    # the whole disc on a nearly square frame, as the pictures of DRIVE have it
    "canon": Camera(584, 565, 281.0, 299.0, 269.5),
    # smaller disc between wide side margins, with the tab on its rim
    "topcon": Camera(
        640, 800, 396.0, 322.0, 302.0, notch=0.13, tint=(0.96, 1.02, 1.06), falloff=0.14, blur=0.65, grain=2.0
    ),
    # frame that cuts the disc above and below
    "wide": Camera(
        1000, 1500, 742.0, 497.0, 682.0, blur=0.55, grain=2.6, exposure=0.94,
        tint=(0.95, 0.93, 0.80), falloff=0.30,
    ),
    # handheld lens before a telephone: off centre, dark, soft, uneven
    "smartphone": Camera(
        480, 640, 347.0, 231.0, 204.0, field=42.0, blur=0.85, grain=2.0, exposure=0.74,
        tint=(1.06, 0.95, 0.82), falloff=0.42, rim=2.5, stray=6.0, jpeg=90,
    ),
}  # fmt: skip


def field_of_view(camera: Camera) -> np.ndarray:
    """Share of each pixel that lies inside the field of view.

    Returns
    -------
    ndarray, (height, width) float32, 0 to 1
    """
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    inside = camera.radius - np.hypot(x - camera.center_x, y - camera.center_y)
    if camera.notch:
        turn = np.radians(-42)
        tab_x = camera.center_x + camera.radius * np.cos(turn)
        tab_y = camera.center_y + camera.radius * np.sin(turn)
        inside = np.maximum(inside, camera.notch / 2 * camera.radius - np.hypot(x - tab_x, y - tab_y))
    return np.clip(inside / camera.rim + 0.5, 0, 1).astype(np.float32)


def photograph(rng: np.random.Generator, scene: np.ndarray, camera: Camera) -> np.ndarray:
    """Take the picture: illumination, optics, the field's rim, sensor noise, JPEG.

    Parameters
    ----------
    rng : numpy.random.Generator
    scene : ndarray, (height, width, 3) float32
        Evenly lit retina, RGB, 0 to 255.
    camera : Camera

    Returns
    -------
    ndarray, (height, width, 3) uint8, RGB
    """
    scene = scene * _illumination(rng, camera)
    field = field_of_view(camera)[..., None]
    scene = scene * field + camera.stray * (1 - field) * np.array((1.0, 0.85, 0.85), np.float32)
    scene = _sharpen(_optics(scene, camera), camera)
    scene = _develop(scene) + _grain(rng, camera) * (0.35 + 0.65 * field)
    image = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
    _, code = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, camera.jpeg))
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])


def _illumination(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Light over the field: falls off from a point beside the centre, red faster, with a pale crescent."""
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    x, y = (x - camera.center_x) / camera.radius, (y - camera.center_y) / camera.radius
    turn, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.35)
    side_x, side_y = np.cos(turn), np.sin(turn)
    bright = (x - shift * side_x) ** 2 + (y - shift * side_y) ** 2
    loss = camera.falloff * np.array((1.05, 0.95, 0.85), np.float32)
    light = np.exp(np.log1p(-loss) * bright[..., None])
    crescent = np.clip(np.hypot(x, y) - 0.72, 0, None) * np.clip(-(x * side_x + y * side_y), 0, None)
    light += np.array((0.25, 0.5, 0.5), np.float32) * crescent[..., None]
    return light * camera.exposure * np.array(camera.tint, np.float32)


def _optics(scene: np.ndarray, camera: Camera) -> np.ndarray:
    """Blur each channel by its own amount and magnify it by its own factor (lateral chromatic aberration)."""
    scale = camera.pixels_per_degree / PIXELS_PER_DEGREE
    channels = []
    for channel, blur, magnified in ((0, 1.35, 1.003), (1, 1.0, 1.0), (2, 1.2, 0.998)):
        blurred = cv2.GaussianBlur(scene[..., channel], (0, 0), camera.blur * blur * scale)
        x, y = camera.center_x * (1 - magnified), camera.center_y * (1 - magnified)
        warp = np.array(((magnified, 0, x), (0, magnified, y)))
        size = (camera.width, camera.height)
        channels.append(cv2.warpAffine(blurred, warp, size, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(channels, 2)


def _sharpen(scene: np.ndarray, camera: Camera) -> np.ndarray:
    """Cameras sharpen a little, which leaves a pale seam along dark vessels."""
    scale = camera.pixels_per_degree / PIXELS_PER_DEGREE
    return scene + 0.25 * (scene - cv2.GaussianBlur(scene, (0, 0), 2.2 * scale))


def _develop(scene: np.ndarray) -> np.ndarray:
    """Bend the highlights so that a bright disc does not clip hard."""
    knee = 205.0
    return np.where(scene > knee, knee + (255 - knee) * np.tanh((scene - knee) / (255 - knee) * 0.9), scene)


def _grain(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Noise, mostly common to the channels and wider than high, as after demosaicing a colour sensor."""
    shape = (camera.height, camera.width)
    common = rng.normal(0, 1, shape).astype(np.float32)[..., None]
    single = rng.normal(0, 1, (*shape, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(0.85 * common + 0.45 * single, (0, 0), sigmaX=0.75, sigmaY=0.5)
    return camera.grain * noise / noise.std()
