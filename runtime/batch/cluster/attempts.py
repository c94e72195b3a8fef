"""What is known of the images that workers are at, and is still known when a worker has died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

MOST = 3
"""How often an image is begun; then it is taken to be what kills the workers."""


class Attempts:
    """Counts how often each image was begun and not ended, and keeps the rows of a block that is not written.

    It lives in an actor of its own, on the driver's node, so that it outlives the workers. Calls of one
    worker arrive in order.
    """

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()
        self._rows: dict[str, tuple[str, ...]] = {}

    def known(self, names: Iterable[str]) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Return how often an image was begun, and its row's cells if it is done; nothing of new images."""
        names = [name for name in names if name in self._begun]
        return {name: (self._begun[name], self._rows.get(name, ())) for name in names}

    def begin(self, name: str) -> None:
        """Count an image that is about to be segmented."""
        self._begun[name] += 1

    def end(self, name: str, cells: Sequence[str]) -> None:
        """Keep the row of an image that is done or failed."""
        self._rows[name] = tuple(cells)

    def forget(self, names: Iterable[str]) -> None:
        """Forget the images of a block whose rows are written."""
        for name in names:
            self._begun.pop(name, None)
            self._rows.pop(name, None)
