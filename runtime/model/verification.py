"""Whether an artefact is the file that its spec was written for."""

import hashlib
import os
from pathlib import Path

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.spec import ModelSpec, spec_path


class UnverifiedModelWarning(UserWarning):
    """A model uses the spec in its own metadata: no hash confirms that it is the exported file."""


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return a file's SHA-256 in hexadecimal digits, read in pieces.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from None
    return digest.hexdigest()


def verify(artefact: str | os.PathLike[str], spec: ModelSpec) -> None:
    """Check that an artefact has the SHA-256 of its spec.

    Raises
    ------
    ModelError
        If the file cannot be read, the spec has no hash, or the hashes differ.
    """
    if not spec.sha256:
        raise ModelError(f"{spec_path(artefact)}: sha256: missing; export the model again")
    found = sha256_of(artefact)
    if found != spec.sha256:
        raise ModelError(
            f"{artefact}: SHA-256 is {found[:12]}..., its spec says {spec.sha256[:12]}...: "
            "the file was changed or cut; get model and spec again from one place"
        )
