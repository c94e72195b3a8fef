"""The parts of a model spec that change its result: preprocessing, input, tiling, engine, confidence."""

import math
from dataclasses import dataclass, field

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.fields import FieldError, check_fields, described

_WORKING_SIZE = 512


@dataclass(frozen=True)
class Preprocessing:
    """How an image is brought to the form that the network was trained on.

    The working scale is either `pixels_per_degree`, which with the camera's field of view sets the square's
    size, or `working_size`, the square's side for every camera.
    """

    method: str = field(
        default="ace",
        metadata=described("equalization of the cropped image", choices=("ace", "clahe", "none")),
    )
    alpha: float = field(default=5.0, metadata=described("slope of ACE", low=1.0, high=255.0))
    working_size: int | None = field(
        default=None,
        metadata=described(
            "side in pixels of the square around the retina; 512 unless pixels_per_degree is given",
            low=32,
            high=8192,
        ),
    )
    pixels_per_degree: float | None = field(
        default=None,
        metadata=described(
            "density of the square in pixels per degree of the field of view",
            low=1.0,
            high=200.0,
            required=False,
        ),
    )
    field_of_view: float = field(
        default=45.0,
        metadata=described(
            "angle in degrees that is assumed if the camera's is unknown",
            low=10.0,
            high=220.0,
            required=False,
        ),
    )
    largest_magnification: float = field(
        default=1.0,
        metadata=described(
            "largest magnification of an image by pixels_per_degree; 1 never magnifies",
            low=1.0,
            high=4.0,
            required=False,
        ),
    )
    size_multiple: int = field(
        default=32,
        metadata=described(
            "divisor of the side of a square of pixels_per_degree", low=1, high=1024, required=False
        ),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.pixels_per_degree is None:
            object.__setattr__(self, "working_size", self.working_size or _WORKING_SIZE)
        elif self.working_size is not None:
            raise FieldError(
                "working_size",
                f"got {self.working_size} beside pixels_per_degree {self.pixels_per_degree:g}; "
                "expected one of the two",
            )

    @property
    def fixed_size(self) -> int:
        """The fixed working size in pixels.

        Raises
        ------
        ModelError
            If the size depends on the camera's field of view.
        """
        if self.working_size is None:
            raise ModelError(
                f"the working size is {self.pixels_per_degree:g} pixels per degree, not one fixed number"
            )
        return self.working_size

    @property
    def usual_size(self) -> int:
        """The fixed working size in pixels, or else the one at the assumed field of view."""
        if self.pixels_per_degree is None:
            return self.fixed_size
        side = self.pixels_per_degree * self.field_of_view
        return math.ceil(side / self.size_multiple) * self.size_multiple


@dataclass(frozen=True)
class NetworkInput:
    """How pixels become the network's input: ``(rgb / 255 - mean) / std`` for each channel, in RGB order."""

    mean: tuple[float, float, float] = field(
        default=(0.5, 0.5, 0.5),
        metadata=described("mean of R, G, B on a scale of 0 to 1", low=-10.0, high=10.0),
    )
    std: tuple[float, float, float] = field(
        default=(0.25, 0.25, 0.25),
        metadata=described("standard deviation of R, G, B on a scale of 0 to 1", low=0.001, high=10.0),
    )
    divisor: int = field(
        default=8, metadata=described("divisor of a patch's height and width", low=1, high=1024)
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Tiling:
    """How the working square is cut into patches."""

    patch: int | None = field(
        default=512,
        metadata=described("side of a patch in pixels; null for the whole square", low=8, high=8192),
    )
    overlap: float = field(
        default=0.0,
        metadata=described("overlap of neighbouring patches as a share of their side", low=0.0, high=0.9),
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class EngineBuild:
    """What an engine was built by, from and for; it runs only there."""

    builder: str = field(metadata=described("what built the engine", choices=("tensorrt", "tensorrt_rtx")))
    version: str = field(metadata=described("version of the builder"))
    gpu: str = field(metadata=described("name of the GPU"))
    compute_capability: str = field(
        metadata=described(
            "the GPU's compute capability, such as 8.7; for TensorRT-RTX the lowest that the engine runs on",
            pattern=r"\d+\.\d+",
        )
    )
    system: str = field(metadata=described("operating system and processor, such as linux-aarch64"))
    batch: tuple[int, int, int] = field(
        metadata=described("fewest, usual and most patches at once", low=1, high=65536)
    )
    source: str = field(
        metadata=described("file name of the ONNX model that it was built from", pattern=r"[^/\\]+")
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class MapThreshold:
    """How each map's own threshold follows from its probabilities.

    A probability p is calibrated to ``sigmoid(slope * logit(p) + offset)``. The threshold is the one with the
    largest expected Dice by these probabilities; see `retinagan.runtime.steps.threshold.Thresholding`.
    """

    slope: float = field(default=1.0, metadata=described("factor of the logit", low=0.01, high=100.0))
    offset: float = field(default=0.0, metadata=described("added to the logit", low=-100.0, high=100.0))

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Confidence:
    """How the expected Dice of a map follows from its probabilities and shape, as measured for this model.

    A probability p is calibrated to ``sigmoid(slope * logit(p) + offset)``. With E the expected Dice by these
    probabilities, the confidence is ``gain * E + bias`` plus a factor times each measure of the map's shape
    (`retinagan.runtime.steps.confidence.Shape`). The default values change nothing.
    """

    slope: float = field(default=1.0, metadata=described("factor of the logit", low=0.01, high=100.0))
    offset: float = field(default=0.0, metadata=described("added to the logit", low=-100.0, high=100.0))
    gain: float = field(default=1.0, metadata=described("factor of the expected Dice", low=0.0, high=100.0))
    bias: float = field(default=0.0, metadata=described("added to the expected Dice", low=-100.0, high=100.0))
    thin: float = field(
        default=0.0, metadata=described("factor of the thin share's logarithm", low=-100.0, high=100.0)
    )
    thin_squared: float = field(
        default=0.0, metadata=described("factor of its square", low=-100.0, high=100.0)
    )
    distance: float = field(
        default=0.0,
        metadata=described("factor of the logarithm of the distance to a vessel", low=-100.0, high=100.0),
    )
    steepness: float = field(
        default=0.0,
        metadata=described("factor of the probability's gradient at borders", low=-100.0, high=100.0),
    )
    evenness: float = field(
        default=0.0,
        metadata=described("factor of the logarithm of the barest quadrant", low=-100.0, high=100.0),
    )
    bound: float = field(
        default=0.0,
        metadata=described("confidence below which a map is doubted", low=0.0, high=1.0),
    )

    def __post_init__(self) -> None:
        check_fields(self)
