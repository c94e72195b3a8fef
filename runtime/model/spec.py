"""The model spec: all parameters that change an artefact's result, and its measured scores.

The spec is the file ``<file>.json`` beside the artefact. It holds the artefact's SHA-256 and is checked
before the artefact is loaded. An ONNX file repeats it, without the hash, in its own metadata under
`METADATA_KEY`.
"""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.fields import FieldError, check_fields, described, from_mapping, shown
from retinagan.runtime.model.worth import worth_fault

FORMAT = 2
"""Version of the spec's format. Earlier versions are read, newer ones refused.

Format 1 has only fixed working sizes.
"""

METADATA_KEY = "retinagan.spec"
"""Key of the spec in an ONNX file's metadata."""


_WORKING_SIZE = 512


class UnverifiedModelWarning(UserWarning):
    """A model uses the spec in its own metadata: no hash confirms that it is the exported file."""


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


@dataclass(frozen=True)
class ModelSpec:
    """An artefact's spec.

    `training` (data, terms and command), `scores` (measured) and `proof` (comparison with the reference) are
    free records. All other fields change the result. Values out of range raise `ModelError`.
    """

    name: str = field(metadata=described("the model's name", pattern=r"\S(.*\S)?"))
    file: str = field(metadata=described("the artefact's file name, without folder", pattern=r"[^/\\]+"))
    precision: str = field(
        metadata=described("number format of the weights", choices=("fp32", "fp16", "bf16", "int8"))
    )
    threshold: float = field(
        metadata=described("pixels at or above this probability count as vessel", low=0.0, high=1.0)
    )
    sha256: str = field(
        default="",
        metadata=described(
            "SHA-256 of the artefact, 64 hexadecimal digits", pattern="([0-9a-f]{64})?", required=False
        ),
    )
    preprocessing: Preprocessing = field(
        default=Preprocessing(),
        metadata=described("how an image is brought to the form that the network was trained on"),
    )
    network_input: NetworkInput = field(
        default=NetworkInput(), metadata=described("how pixels become the network's input")
    )
    tiling: Tiling = field(default=Tiling(), metadata=described("how the working square is cut into patches"))
    training: Mapping[str, Any] = field(
        default_factory=dict, metadata=described("how it was trained", required=False)
    )
    scores: Mapping[str, Any] = field(
        default_factory=dict, metadata=described("measured figures", required=False)
    )
    proof: Mapping[str, Any] = field(
        default_factory=dict, metadata=described("comparison with the reference", required=False)
    )
    engine: EngineBuild | None = field(
        default=None, metadata=described("what an engine was built by and for", required=False)
    )
    confidence: Confidence | None = field(
        default=None,
        metadata=described("how the expected Dice follows from the probabilities", required=False),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        patch, size, divisor = self.tiling.patch, self.preprocessing.working_size, self.network_input.divisor
        multiple = self.preprocessing.size_multiple
        if size is None and multiple % divisor:
            raise FieldError(
                "preprocessing.size_multiple", f"got {multiple}; expected a multiple of {divisor}"
            )
        if patch is None:
            return
        if size is not None and patch > size:
            problem = f"got {patch}; expected at most the working size, {size}"
            raise FieldError("tiling.patch", problem)
        if patch % divisor:
            right = max(divisor, patch - patch % divisor)
            raise FieldError(
                "tiling.patch", f"got {patch}; expected a multiple of {divisor}, such as {right}"
            )

    @property
    def usual_patch(self) -> int:
        """Side of a patch in pixels; by default the whole square at the assumed field of view."""
        return self.tiling.patch or self.preprocessing.usual_size

    @classmethod
    def from_json(cls, text: str | bytes, source: str | os.PathLike[str] = "spec") -> "ModelSpec":
        """Read a spec from JSON text; `source` names the text in errors.

        Raises
        ------
        ModelError
            If the text is not JSON or has a newer format, if a key is missing, unknown, ill-typed or out of
            range, or if the scores are those of a model that is unfit for use.
        """
        try:
            values = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ModelError(
                f"{source}: not a model spec in JSON ({reason}); export the model again"
            ) from None
        try:
            if not isinstance(values, dict):
                raise FieldError("spec", "expected a JSON object of keys and values")
            _check_format(values.pop("format", None))
            spec: ModelSpec = from_mapping(cls, values)
        except FieldError as error:
            raise ModelError(f"{source}: {error}") from None
        spec.check_worth(source)
        return spec

    def check_worth(self, source: str | os.PathLike[str] = "spec") -> None:
        """Raise ModelError if the model is unfit for use by its own scores; see `worth_fault`."""
        if fault := worth_fault(self.threshold, self.scores):
            raise ModelError(f"{source}: {fault}; correct the data and train the model again")

    def to_json(self) -> str:
        """Return the spec as JSON text, without hash, engine and confidence if they are not set.

        Raises
        ------
        ModelError
            If a free record holds values that JSON cannot represent (NaN, arrays, objects).
        """
        values = {"format": FORMAT} | dataclasses.asdict(self)
        if not self.sha256:
            del values["sha256"]
        for optional in ("engine", "confidence"):
            if values[optional] is None:
                del values[optional]
        try:
            return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{self.name}: the spec's records must be JSON values without NaN ({error})"
            ) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "ModelSpec":
        """Read a spec file; raise `ModelError` as `from_json` does, or if it cannot be read."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model's spec ({error.strerror})") from None
        return cls.from_json(content, path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the spec atomically; raise OSError, or `ModelError` as the checks above do."""
        text = self.to_json()
        self.check_worth(path)
        with written_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def spec_path(artefact: str | os.PathLike[str]) -> Path:
    """Return the path of an artefact's spec: ``model.onnx`` has ``model.onnx.json`` beside it."""
    artefact = Path(artefact)
    return artefact.with_name(artefact.name + ".json")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return a file's SHA-256 in hexadecimal digits, read in pieces.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from None
    return digest.hexdigest()


def verify(artefact: str | os.PathLike[str], spec: ModelSpec) -> None:
    """Check that an artefact has the SHA-256 of its spec.

    Raises
    ------
    ModelError
        If the file cannot be read, the spec has no hash, or the hashes differ.
    """
    if not spec.sha256:
        raise ModelError(f"{spec_path(artefact)}: sha256: missing; export the model again")
    found = sha256_of(artefact)
    if found != spec.sha256:
        raise ModelError(
            f"{artefact}: SHA-256 is {found[:12]}..., its spec says {spec.sha256[:12]}...: "
            "the file was changed or cut; get model and spec again from one place"
        )


def _check_format(number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise FieldError(
            "format",
            f"got {shown(number)}; expected a number up to {FORMAT}: not a model spec of retinagan",
        )
    if number > FORMAT:
        problem = f"got {shown(number)}, written by a newer version; this one reads up to {FORMAT}"
        raise FieldError("format", f"{problem}: pip install --upgrade retinagan")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {shown(twice)} appears twice")
    return values
