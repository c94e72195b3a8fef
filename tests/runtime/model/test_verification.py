from dataclasses import replace

import pytest
from tiny_model import tiny_spec

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.verification import sha256_of, verify


def test_verify_compares_hashes(tmp_path):
    artefact = tmp_path / "model.onnx"
    artefact.write_bytes(b"x" * (3 << 20))
    spec = replace(tiny_spec(), sha256=sha256_of(artefact))
    verify(artefact, spec)
    artefact.write_bytes(b"x" * (3 << 20) + b"y")
    message = (
        rf"model\.onnx: SHA-256 is {sha256_of(artefact)[:12]}\.\.\., its spec says {spec.sha256[:12]}\.\.\."
    )
    with pytest.raises(ModelError, match=message):
        verify(artefact, spec)
    with pytest.raises(ModelError, match=r"model\.onnx\.json: sha256: missing"):
        verify(artefact, replace(spec, sha256=""))
    with pytest.raises(ModelError, match=r"cannot read the model file \(No such file"):
        verify(tmp_path / "gone.onnx", spec)
