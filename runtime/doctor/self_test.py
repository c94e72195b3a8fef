"""The self-test: a bundled picture is segmented and compared with the recorded result."""

import json
import os
import time
from pathlib import Path
from typing import Any

PICTURE = Path(__file__).parents[1] / "models" / "self-test.png"
"""A synthetic fundus picture."""

PROBABILITY = Path(__file__).parents[1] / "models" / "self-test-probability.png"
"""The recorded model's probability for it, 8 bits."""

RECORD = Path(__file__).parents[1] / "models" / "self-test.json"
"""The recorded model's SHA-256 and threshold."""

SAME_MODEL_DICE = 0.97
"""Least Dice with the recorded vessels for the same model; engines round differently."""

SAME_MODEL_DIFFERENCE = 0.01
"""Largest mean difference of its probability inside the retina."""

OTHER_MODEL_DICE = 0.6
"""Least Dice with the recorded vessels for another model or precision."""


def run_self_test(model: str | os.PathLike[str] | None, engine: str, device: str) -> dict[str, Any]:
    """Segment the bundled picture and compare the result with the recorded one.

    Parameters
    ----------
    model, engine, device
        As for `Segmenter`.

    Returns
    -------
    dict
        "description" and "selection" of the engine, "seconds" for one picture after a warm-up, "dice" and
        "difference" (mean, of the probability) from the record, "recorded" (whether the record is of this
        same model), "problem" (empty if the self-test passed).

    Raises
    ------
    RetinaGanError
        If the model cannot run with this engine and device.
    """
    import numpy as np

    from retinagan.runtime.images.reading import read_image
    from retinagan.runtime.segmenter import Segmenter

    record = json.loads(RECORD.read_text(encoding="utf-8"))
    picture = read_image(PICTURE)
    expected = read_image(PROBABILITY).pixels / np.float32(255)
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
    """Return what is wrong with a result; an empty string if nothing is."""
    least = SAME_MODEL_DICE if recorded else OTHER_MODEL_DICE
    if not dice >= least:
        return f"wrong vessels: Dice with the recorded ones is {dice:.3f}; expected at least {least}"
    if recorded and not difference <= SAME_MODEL_DIFFERENCE:
        return (
            f"wrong probability: the mean difference is {difference:.4f}; expected at most "
            f"{SAME_MODEL_DIFFERENCE}"
        )
    return ""
