"""Resuming a run from a checkpoint: only with the options and images that it was started with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.parts import TrainingError
from retinagan.train.nets.checkpoint import Checkpoint


def resumed_state(
    checkpoint: Checkpoint, options: TrainingOptions, origins: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the trainer's state in a checkpoint, for these options and training images.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of the run to resume.
    options : TrainingOptions
        What is asked for.
    origins : mapping
        The names of the images under "training_images", and their digest under "images_sha256".

    Raises
    ------
    TrainingError
        If the checkpoint was released without that state, or its options or images differ.
    """
    if checkpoint.resume is None:
        raise TrainingError("this checkpoint was released without the trainer's state: it cannot be resumed")
    try:
        theirs = TrainingOptions.from_plain(checkpoint.record["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"the run there was written by another version ({error})") from None
    if int(checkpoint.resume["iteration"]) <= options.patches.iterations:
        # The adversarial stage has not begun, so its options may still change.
        theirs = dataclasses.replace(theirs, adversarial=options.adversarial)
    if theirs != options:
        raise TrainingError(
            f"the run there has other options ({_difference(theirs, options)}): "
            "give the same ones, or another --out"
        )
    images = origins["training_images"]
    seen = checkpoint.record.get("training_images", images)  # older checkpoints do not say
    if seen != images:
        raise TrainingError(
            f"the run there learns from {len(seen)} other images ({seen[0]}, ...), asked for are "
            f"{len(images)} ({images[0]}, ...): give the same --data, or another --out"
        )
    digest = checkpoint.record.get("images_sha256")
    if digest is not None and digest != origins["images_sha256"]:
        raise TrainingError(
            "the images or maps differ from those that the run began with (files were changed, or another "
            "version of this package or of OpenCV reads them otherwise): restore them, or give another --out"
        )
    return dict(checkpoint.resume)


def _difference(theirs: TrainingOptions, ours: TrainingOptions) -> str:
    pairs = zip(_flat(theirs), _flat(ours), strict=True)
    return ", ".join(f"{name}: {old} there, {new} asked for" for (name, old), (_, new) in pairs if old != new)


def _flat(options: Any, prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for item in dataclasses.fields(options):
        value = getattr(options, item.name)
        if dataclasses.is_dataclass(value):
            found += _flat(value, f"{prefix}{item.name}.")
        else:
            found.append((prefix + item.name, value))
    return found
