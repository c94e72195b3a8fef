"""What this room needs beyond the base installation; this module itself needs nothing."""

import sys
from importlib.util import find_spec

_NEEDED = ("torch", "kornia", "sklearn", "skimage")
_FOR_FIGURES = ("matplotlib",)


def complain_of_missing_packages(command: str, figures: bool = False) -> bool:
    """Say in one line on stderr which packages are not installed; whether any is."""
    needed = _NEEDED + _FOR_FIGURES if figures else _NEEDED
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        print(
            f'{command}: not installed: {", ".join(missing)}; type  pip install "retinagan[train]"',
            file=sys.stderr,
        )
    return bool(missing)
