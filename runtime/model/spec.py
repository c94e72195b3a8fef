"""The model spec: all parameters that change an artefact's result, and its measured scores.

The spec is the file ``<file>.json`` beside the artefact. It holds the artefact's SHA-256 and is checked
before the artefact is loaded. An ONNX file repeats it, without the hash, in its own metadata under
`METADATA_KEY`.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.fields import FieldError, check_fields, described, from_mapping, shown
from retinagan.runtime.model.parameters import (
    Confidence,
    EngineBuild,
    MapThreshold,
    NetworkInput,
    Preprocessing,
    Tiling,
)
from retinagan.runtime.model.worth import worth_fault

FORMAT = 2
"""Version of the spec's format. Earlier versions are read, newer ones refused.

Format 1 has only fixed working sizes.
"""

METADATA_KEY = "retinagan.spec"
"""Key of the spec in an ONNX file's metadata."""


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
    map_threshold: MapThreshold | None = field(
        default=None,
        metadata=described("how each map's own threshold follows from its probabilities", required=False),
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
        """Return the spec as JSON text, without what is optional and not set.

        Raises
        ------
        ModelError
            If a free record holds values that JSON cannot represent (NaN, arrays, objects).
        """
        values = {"format": FORMAT} | dataclasses.asdict(self)
        if not self.sha256:
            del values["sha256"]
        for optional in ("engine", "confidence", "map_threshold"):
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
