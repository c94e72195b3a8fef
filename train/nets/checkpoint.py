"""Checkpoints: weights with all that is needed to run, fine-tune or resume a training, in plain types."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import MapThreshold, NetworkInput, Preprocessing, Tiling
from retinagan.train.nets.config import GeneratorConfig
from retinagan.train.nets.discriminator import Discriminator, DiscriminatorConfig
from retinagan.train.nets.generator import Generator

FORMAT = 1
"""Version of the checkpoint format; readers refuse other versions."""


@dataclass
class Checkpoint:
    """A trained generator with its preprocessing and record.

    Attributes
    ----------
    generator : Generator
        With the averaged weights, in eval mode.
    discriminator : Discriminator or None
        None for systems without one.
    preprocessing, network_input, tiling
        How an image becomes the generator's input, as in a model spec.
    threshold : float or None
        Pixels at or above this probability count as vessel; None until it is chosen on training images.
    map_threshold : MapThreshold or None
        How each map's own threshold follows from its probabilities, as in a model spec.
    record : mapping
        Plain record of the training: model, data, options, iterations, command.
    resume : mapping or None
        State that only the trainer needs to resume; None in a released checkpoint.
    """

    generator: Generator
    discriminator: Discriminator | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    network_input: NetworkInput = field(default_factory=NetworkInput)
    tiling: Tiling = field(default_factory=Tiling)
    threshold: float | None = None
    map_threshold: MapThreshold | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    resume: Mapping[str, Any] | None = None

    def save(self, path: str | Path) -> None:
        """Write the checkpoint whole or not at all; raise OSError if the folder cannot be written to."""
        released = (
            self.resume is None
        )  # then nobody needs D's last digits, and a package carries half its bytes
        values = {
            "retinagan_checkpoint": FORMAT,
            "generator": _packed(self.generator),
            "discriminator": None
            if self.discriminator is None
            else _packed(self.discriminator, half=released),
            "preprocessing": dataclasses.asdict(self.preprocessing),
            "network_input": dataclasses.asdict(self.network_input),
            "tiling": dataclasses.asdict(self.tiling),
            "threshold": self.threshold,
            "map_threshold": None if self.map_threshold is None else dataclasses.asdict(self.map_threshold),
            "record": json.loads(json.dumps(dict(self.record))),  # plain types, or an error now
            "resume": None if self.resume is None else dict(self.resume),
        }
        buffer = io.BytesIO()  # torch raises RuntimeError for any error of the disk
        torch.save(values, buffer)
        with written_atomically(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def released(self) -> Checkpoint:
        """Return the checkpoint without the state that only the trainer needs."""
        return dataclasses.replace(self, resume=None)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint that `Checkpoint.save` wrote; nothing in the file is executed.

    Raises
    ------
    ModelError
        If the file is missing, is no checkpoint, has another format, or its weights do not fit its shape.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"{path}: no such checkpoint; train one with retina-train --data DRIVE --out runs/first"
        )
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path}: not a readable torch checkpoint (it holds something other than tensors and plain "
            "types); expected one that retina-train wrote"
        ) from None
    except Exception as error:  # torch's reader of old files fails with whatever foreign bytes lead to
        told = isinstance(error, (RuntimeError, ValueError, OSError)) and str(error).strip()
        reason = str(error).strip().splitlines()[0] if told else type(error).__name__
        raise ModelError(
            f"{path}: not a readable torch checkpoint ({reason[:120]}); expected one that retina-train wrote"
        ) from None
    if not isinstance(values, dict) or "retinagan_checkpoint" not in values:
        raise ModelError(
            f"{path}: a torch file, but no checkpoint of retina-train; expected one that it wrote"
        )
    number = values["retinagan_checkpoint"]
    if number != FORMAT:
        raise ModelError(
            f"{path}: checkpoint of format {number}, but this version reads {FORMAT}: "
            "pip install --upgrade retinagan"
        )
    try:
        packed, rule = values["discriminator"], values.get("map_threshold")  # earlier versions have none
        return Checkpoint(
            generator=_unpacked(Generator, GeneratorConfig, values["generator"]).eval(),
            discriminator=packed and _unpacked(Discriminator, DiscriminatorConfig, packed),
            preprocessing=Preprocessing(**values["preprocessing"]),
            network_input=NetworkInput(**values["network_input"]),
            tiling=Tiling(**values["tiling"]),
            threshold=values["threshold"],
            map_threshold=rule and MapThreshold(**rule),
            record=values["record"],
            resume=values["resume"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{path}: the checkpoint's parts do not fit together ({reason})") from None


def _packed(module: Generator | Discriminator, half: bool = False) -> dict[str, Any]:
    weights = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    if half:
        weights = {
            name: value.half() if value.is_floating_point() else value for name, value in weights.items()
        }
    return {"config": dataclasses.asdict(module.config), "weights": weights}


def _unpacked(kind: Any, config: Any, packed: Mapping[str, Any]) -> Any:
    module = kind(config(**packed["config"]))
    module.load_state_dict(packed["weights"])
    return module
