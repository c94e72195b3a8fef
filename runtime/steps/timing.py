"""Wall time of each stage in the processing of one image."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class StageClock:
    """Sums the wall time of stages; one clock serves one image.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time by stage, in the order in which stages were first entered.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time until the block ends to stage `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start
