from threading import Lock
from typing import Any

from numpy import float32, float64, uint8, uintp
from numpy.typing import NDArray

VARIANTS: dict[str, int]
ERRORS: dict[int, tuple[type[Exception], str]]

class Workspace:
    lock: Lock
    @property
    def nbytes(self) -> int: ...

def raise_for_status(status: int) -> None: ...
def supports(variant: str) -> bool: ...
def equalize(
    image: NDArray[Any],
    mask: NDArray[uint8] | None,
    alpha: float,
    threads: int,
    workspace: Workspace,
    result: NDArray[Any],
    ranges: NDArray[float64],
    variant: str = "best",
) -> None: ...
def direct(
    row: NDArray[float32],
    column: NDArray[float32],
    intensity: NDArray[float32],
    alpha: float,
    chosen: NDArray[uintp],
    response: NDArray[float64],
) -> None: ...
