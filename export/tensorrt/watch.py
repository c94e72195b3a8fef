"""The progress of a TensorRT build, and how to stop it."""

from collections.abc import Callable
from typing import Any

Progress = Callable[[float, str], None]
"""Called with the share of the build that is done, 0 to 1, and the name of the current phase."""


class Phases:
    """The progress of a build, from nested phases with a number of steps each."""

    def __init__(self) -> None:
        self._phases: dict[str, tuple[str | None, int]] = {}
        self._done: dict[str, int] = {}
        self._shown = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Enter a phase within another, or within none if that is None."""
        self._phases[name] = (parent, max(steps, 1))
        self._done[name] = 0

    def step(self, name: str, step: int) -> None:
        """Mark a phase's step, numbered from 0, as done."""
        self._done[name] = step + 1

    def finish(self, name: str) -> None:
        """Leave a phase."""
        self._phases.pop(name, None)
        self._done.pop(name, None)

    def share(self, name: str) -> float:
        """Return the share of the whole build that is done, 0 to 1, as of a phase; it never decreases."""
        share, current = 0.0, name
        while current in self._phases:
            parent, steps = self._phases[current]
            share = min(1.0, (self._done[current] + share) / steps)
            if parent is None:
                break
            current = parent
        self._shown = max(self._shown, share)
        return self._shown


def make_monitor(base: Any, progress: Progress | None, interrupted: Callable[[], bool]) -> Any:
    """
    Make a progress monitor for TensorRT.

    Parameters
    ----------
    base : type
        `IProgressMonitor` of the module that builds, or `object` if it has none.
    progress : callable, optional
        Called with the progress; the share never decreases.
    interrupted : callable
        Whether the build should stop.

    Returns
    -------
    object
        Its `error` is the exception that `progress` raised, or None.
    """
    phases = Phases()

    class Monitor(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)
            self.error: Exception | None = None

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Return whether to go on; an exception must not reach TensorRT, which would end the process."""
            try:
                phases.step(phase_name, step)
                if progress is not None:
                    progress(phases.share(phase_name), phase_name)
            except Exception as error:
                self.error = error
            return self.error is None and not interrupted()

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
