"""Early warnings of a training that runs but does not learn."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

PATIENCE = 200
"""Number of iterations over which means are taken before a warning."""


class Watch:
    """Checks the losses of each iteration, and warns once of each kind of trouble, with what to do."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._warned: set[str] = set()

    def look(self, losses: Mapping[str, float]) -> list[str]:
        """Add the losses of one iteration; return the warnings to print now, usually none."""
        for name in ("d_expert", "d_generated", "vessels", "predicted"):
            if name in losses:
                self._recent.setdefault(name, deque(maxlen=PATIENCE)).append(losses[name])
        means = {
            name: sum(values) / PATIENCE for name, values in self._recent.items() if len(values) == PATIENCE
        }
        found = {**_discriminator_troubles(means), **_vessel_troubles(means)}
        fresh = [line for kind, line in found.items() if kind not in self._warned]
        self._warned |= set(found)
        return fresh


def _discriminator_troubles(means: Mapping[str, float]) -> dict[str, str]:
    if "d_expert" not in means:
        return {}
    expert, generated = means["d_expert"], means["d_generated"]
    answers = f"D(x) {expert:.3f}, D(G(z)) {generated:.3f} over {PATIENCE} iterations"
    if expert > 0.98 and generated < 0.02:
        line = f"warning: the discriminator wins outright ({answers}): lower --discriminator-learning-rate"
        return {"wins": line}
    if abs(expert - generated) < 0.02:
        line = f"warning: the discriminator learns nothing ({answers}): raise --discriminator-learning-rate"
        return {"blind": line}
    return {}


def _vessel_troubles(means: Mapping[str, float]) -> dict[str, str]:
    if "vessels" not in means:
        return {}
    vessels, predicted = means["vessels"], means["predicted"]
    shares = f"{vessels:.2%} of the retina in the maps, {predicted:.2%} in its answers"
    if vessels < 0.01:
        return {
            "empty": f"warning: hardly a vessel in the last {PATIENCE} batches ({shares}): "
            "look whether the maps are whole and white on black"
        }
    if predicted < 0.1 * vessels:
        return {
            "black": f"warning: the generator predicts hardly a vessel ({shares}): lower --learning-rate, "
            "or give --adversarial-weight less"
        }
    return {}
