import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec

from retinagan.export.proof.images import ProofImage
from retinagan.export.proof.pack import pack_folder, read_pack, write_pack
from retinagan.runtime.errors import ModelError

SPEC = tiny_spec(sha256="0" * 64, proof={"some": "proof"})


@pytest.fixture
def pack(tmp_path):
    """A pack beside the place of a model, what it was made of, and the model's spec with the pack's hash."""
    images = [ProofImage(name, drawn_retina(60 + seed, 70)[0]) for seed, name in enumerate("ab")]
    random = np.random.default_rng(0)
    maps = [random.random(image.pixels.shape[:2], np.float32) for image in images]
    artefact = tmp_path / SPEC.file
    digest = write_pack(pack_folder(artefact, SPEC), SPEC, images, maps)
    return artefact, images, maps, replace(SPEC, proof={"pack_sha256": digest})


def test_what_is_written_is_read_again(pack):
    artefact, images, maps, spec = pack
    found = read_pack(artefact, spec)
    assert found.spec == replace(SPEC, proof={})
    for image, probability, read in zip(images, maps, found.images, strict=True):
        assert read.name == image.name
        np.testing.assert_array_equal(read.pixels, image.pixels)
        assert read.expected.dtype == np.float32
        np.testing.assert_allclose(read.expected, probability, rtol=0, atol=0.51 / 65535)


def test_it_lies_beside_the_artefact_under_the_models_name(pack):
    artefact, *_ = pack
    assert (artefact.parent / "tiny-proof").is_dir()
    assert pack_folder(artefact.parent / "tiny-int8.engine", SPEC) == artefact.parent / "tiny-proof"


def test_the_same_gives_the_same_hash(pack, tmp_path):
    _, images, maps, spec = pack
    (tmp_path / "again").mkdir()
    again = write_pack(pack_folder(tmp_path / "again" / "m.onnx", SPEC), SPEC, images, maps)
    assert again == spec.proof["pack_sha256"]


def refused(pack, message):
    artefact, *_, spec = pack
    with pytest.raises(ModelError, match=message) as raised:
        read_pack(artefact, spec)
    assert "\n" not in str(raised.value)
    assert "copy the folder tiny-proof from where tiny.onnx was exported" in str(raised.value)


def test_no_pack(pack, tmp_path):
    (tmp_path / "tiny-proof").rename(tmp_path / "other")
    refused(pack, "no proof pack there")


def test_the_pack_of_another_export(pack, tmp_path):
    manifest = tmp_path / "tiny-proof" / "proof.json"
    values = json.loads(manifest.read_text())
    values["spec"]["threshold"] = 0.1
    manifest.write_text(json.dumps(values))
    refused(pack, r"this proof pack belongs to another export than tiny\.onnx")


@pytest.mark.parametrize("name", ["a_image.png", "b_probability.png"])
def test_a_changed_file_is_named(pack, tmp_path, name):
    cv2.imwrite(str(tmp_path / "tiny-proof" / name), np.zeros((4, 4), np.uint8))
    refused(pack, f"not a complete proof pack .*{name} has changed")


def test_a_missing_file_is_named(pack, tmp_path):
    (tmp_path / "tiny-proof" / "a_image.png").unlink()
    refused(pack, r"not a complete proof pack .*a_image\.png")


@pytest.mark.parametrize("text", ["", "[]", '{"images": []}', '{"spec": {}, "images": []}'])
def test_a_broken_manifest(pack, tmp_path, text):
    artefact, images, maps, _ = pack
    (tmp_path / "tiny-proof" / "proof.json").write_text(text)
    refused((artefact, images, maps, SPEC), "not a complete proof pack")
