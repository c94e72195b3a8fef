from dataclasses import replace

import pytest
from tiny_model import tiny_spec

from retinagan.export.triton.configuration import WRITTEN, network_configuration, whole_configuration
from retinagan.runtime.model.parameters import EngineBuild, Tiling

SPEC = tiny_spec(sha256="ab" * 32)
ENGINE = replace(
    SPEC,
    file="tiny.engine",
    engine=EngineBuild("tensorrt", "10.3", "Orin", "8.7", "linux-aarch64", (1, 4, 6), "tiny.onnx"),
)


def test_the_whole_way():
    assert whole_configuration("tiny", SPEC).splitlines() == [
        f"{WRITTEN} Images in, maps out: tiny, fp32, SHA-256 {'ab' * 32}",
        'name: "tiny"',
        'backend: "python"',
        "max_batch_size: 0",
        'input [ { name: "image" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] optional: true } ]',
        'input [ { name: "file" data_type: TYPE_STRING dims: [ 1 ] optional: true } ]',
        'output [ { name: "vessels" data_type: TYPE_BOOL dims: [ -1, -1 ] } ]',
        'output [ { name: "probability" data_type: TYPE_FP32 dims: [ -1, -1 ] } ]',
        'output [ { name: "roi" data_type: TYPE_BOOL dims: [ -1, -1 ] } ]',
        'output [ { name: "report" data_type: TYPE_STRING dims: [ 1 ] } ]',
        "# KIND_MODEL takes the best device that works; KIND_CPU or KIND_GPU say which.",
        "instance_group [ { kind: KIND_MODEL count: 1 } ]",
        'parameters { key: "model_file" value { string_value: "tiny.onnx" } }',
    ]


def test_an_engine_runs_on_a_gpu():
    lines = whole_configuration("tiny", ENGINE).splitlines()
    assert "instance_group [ { kind: KIND_GPU count: 1 } ]" in lines
    assert 'parameters { key: "model_file" value { string_value: "tiny.engine" } }' in lines


def test_the_network_alone_as_onnx():
    lines = network_configuration("tiny-network", SPEC).splitlines()
    assert lines[1:] == [
        'name: "tiny-network"',
        'backend: "onnxruntime"',
        "max_batch_size: 4",
        'input [ { name: "image" data_type: TYPE_FP32 dims: [ 3, -1, -1 ] } ]',
        'input [ { name: "roi" data_type: TYPE_FP32 dims: [ 1, -1, -1 ] } ]',
        'output [ { name: "probability" data_type: TYPE_FP32 dims: [ 1, -1, -1 ] } ]',
        "dynamic_batching { }",
    ]


def test_the_network_alone_as_an_engine():
    lines = network_configuration("tiny-network", ENGINE).splitlines()
    assert 'backend: "tensorrt"' in lines
    assert "max_batch_size: 6" in lines
    assert 'input [ { name: "image" data_type: TYPE_FP32 dims: [ 3, 64, 64 ] } ]' in lines


@pytest.mark.parametrize(("patch", "batched"), [(64, True), (None, False)])
def test_one_patch_an_image_is_not_batched(patch, batched):
    text = network_configuration("tiny-network", replace(SPEC, tiling=Tiling(patch, 0.0)))
    assert ("dynamic_batching" in text) is batched
    assert ("max_batch_size: 1\n" in text) is not batched
