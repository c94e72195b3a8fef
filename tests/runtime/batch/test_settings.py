import os
from dataclasses import replace

from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import ModelSpec

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")


def test_the_settings_digest_follows_all_that_changes_a_result():
    spec = ModelSpec("tiny", "tiny.onnx", "fp32", 0.5, sha256="cd" * 32)
    settings = Settings.of(spec, "ONNX Runtime 1, CPU")
    assert (settings.model, settings.model_sha256, settings.threshold) == ("tiny", "cd" * 32, 0.5)
    assert settings == Settings.of(spec, "ONNX Runtime 1, CPU")
    values = vars(spec)
    digests = {
        settings.digest,
        Settings.of(spec, "ONNX Runtime 2, CPU").digest,
        Settings.of(ModelSpec(**(values | {"threshold": 0.6})), settings.engine).digest,
        Settings.of(ModelSpec(**(values | {"tiling": Tiling(512, 0.5)})), settings.engine).digest,
        Settings.of(ModelSpec(**(values | {"precision": "int8"})), settings.engine).digest,
        Settings.of(spec, settings.engine, overlay_colour="calibre").digest,
    }
    assert len(digests) == 6
    assert {len(digest) for digest in digests} == {16}
    told = ModelSpec(**(values | {"scores": {"dice": 0.8}, "training": {"data": "none"}}))
    assert Settings.of(told, settings.engine).digest == settings.digest


def test_a_stamp_follows_size_and_time(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    os.utime(path, ns=(5_000_000_007, 5_000_000_007))
    assert SETTINGS.stamp(path.stat()) == Stamp("4", "5.000000007", "ab" * 32, "0123456789abcdef")
    assert SETTINGS.stamp(None) == Stamp("", "", "ab" * 32, "0123456789abcdef")


def test_where_an_angle_comes_from():
    given = replace(SETTINGS, field_of_view=60.0)
    assert [SETTINGS.angle_from(angle) for angle in (None, 45.0)] == ["fixed", "assumed"]
    assert [given.angle_from(angle) for angle in (None, 60.0)] == ["fixed", "given"]


def test_an_angle_changes_the_digest_where_it_matters():
    fixed = ModelSpec("a", "a.onnx", "fp32", 0.5)
    scaled = replace(fixed, preprocessing=Preprocessing(pixels_per_degree=18.0))
    digests = [
        Settings.of(spec, "CPU", angle).digest for spec in (fixed, scaled) for angle in (None, 45.0, 60.0)
    ]
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests)) == 4
