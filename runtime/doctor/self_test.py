"""The self-test: a bundled picture through a model on an engine, held to the recorded result."""

import json
import os
import time
from pathlib import Path
from typing import Any

PICTURE = Path(__file__).parents[1] / "models" / "self-test.png"
"""A synthetic fundus picture."""

PROBABILITY = Path(__file__).parents[1] / "models" / "self-test-probability.png"
"""What the recorded model gives for it, 8 bits."""

RECORD = Path(__file__).parents[1] / "models" / "self-test.json"
"""Which model that was, by its SHA-256, with its threshold."""

SAME_MODEL_DICE = 0.97
"""How alike the vessels must be to those recorded, if it is the very model: engines round differently."""

SAME_MODEL_DIFFERENCE = 0.01
"""How far its probability may be off on average inside the retina."""

OTHER_MODEL_DICE = 0.6
"""How alike they must be if it is another model, precision or engine: it should see the same vessels."""


def run_self_test(model: str | os.PathLike[str] | None, engine: str, device: str) -> dict[str, Any]:
    """Segment the bundled picture, and compare the result with the recorded one.

    Parameters
    ----------
    model, engine, device
        As for `Segmenter`.

    Returns
    -------
    dict
        "description" and "selection" of the engine, "seconds" for a picture once the engine is warm,
        "dice" and "difference" (mean, of probability) from the record, "recorded" (whether the record is
        of this very model), "problem" (empty if the self-test is passed).

    Raises
    ------
    RetinaGanError
        If the model does not run so.
    """
    import numpy as np

    from retinagan.runtime.images.reading import read_image
    from retinagan.runtime.segmenter import Segmenter

    record = json.loads(RECORD.read_text(encoding="utf-8"))
    picture, expected = read_image(PICTURE), read_image(PROBABILITY) / np.float32(255)
    with Segmenter(model, engine=engine, device=device) as segmenter:
        segmenter(picture)
        begin = time.perf_counter()
        result = segmenter(picture)
        seconds = time.perf_counter() - begin
        recorded = segmenter.spec.sha256 == record["sha256"]
        description, selection = segmenter.engine, segmenter.engine_selection
    vessels = expected >= record["threshold"]
    both = np.count_nonzero(result.vessels & vessels)
    dice = 2 * both / max(1, np.count_nonzero(result.vessels) + np.count_nonzero(vessels))
    difference = float(np.abs(result.probability - expected)[result.roi].mean())
    return {
        "description": description,
        "selection": selection,
        "seconds": seconds,
        "dice": dice,
        "difference": difference,
        "recorded": recorded,
        "problem": judged(dice, difference, recorded=recorded),
    }


def judged(dice: float, difference: float, *, recorded: bool) -> str:
    """Say what is wrong with a result, or nothing."""
    least = SAME_MODEL_DICE if recorded else OTHER_MODEL_DICE
    if not dice >= least:
        return f"wrong vessels: Dice {dice:.3f} with those recorded, expected {least} or more"
    if recorded and not difference <= SAME_MODEL_DIFFERENCE:
        return f"wrong probability: {difference:.4f} off on average, expected {SAME_MODEL_DIFFERENCE} or less"
    return ""
