"""Eyes as a camera draws them, each rendered once for all tests of a process."""

from functools import cache

from synthetic_fundus import Fundus, FundusOptions, render


@cache
def canon_eye(seed: int = 5) -> Fundus:
    """Render an eye, (584, 565) pixels; it is shared, so its arrays cannot be written to."""
    fundus = render(FundusOptions(seed=seed, camera="canon"))
    for array in (fundus.image, fundus.vessels, fundus.roi):
        array.flags.writeable = False
    return fundus
