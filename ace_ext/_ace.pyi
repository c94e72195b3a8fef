from numpy import bool_, float32, float64, uint8, uintp
from numpy.typing import NDArray

def fast(
    image: NDArray[uint8],
    mask: NDArray[bool_] | None,
    alpha: float,
    equalized: NDArray[uint8],
    response: NDArray[float32] | None,
) -> None: ...
def direct(
    intensity: NDArray[float32],
    mask: NDArray[bool_] | None,
    alpha: float,
    pixels: NDArray[uintp],
    response: NDArray[float64],
) -> None: ...
