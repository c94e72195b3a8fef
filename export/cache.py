"""Where results that take long are kept for the next export."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return this package's folder in the user's cache folder; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "retinagan"
