import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fake_tensorrt_build import ENGINE, VERSIONS, Script, fake_tensorrt

from retinagan.export.tensorrt.builder import EnginePlan, build_engine
from retinagan.runtime.errors import EngineError, ModelError

PLAN = EnginePlan(Path("folder/model.onnx"), "fp32", (1, 4, 16), 128)
ON_BOTH_SIDES = pytest.mark.parametrize("version", ["8.6.1", "11.4.0"])


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


def build(version, script=None, plan=PLAN, progress=None):
    return build_engine(fake_tensorrt(version, script), plan, progress)


def test_every_version_builds_by_its_own_names_alone(version):
    script = Script()
    assert build(version, script) == ENGINE
    assert script.parsed == str(PLAN.onnx)
    assert script.shapes == {
        name: tuple((count, channels, 128, 128) for count in (1, 4, 16))
        for name, channels in (("image", 3), ("roi", 1))
    }


def test_types_are_the_files_own_where_the_version_can(version):
    script = Script()
    module = fake_tensorrt(version, script)
    build_engine(module, replace(PLAN, precision="int8"))
    flags = module.NetworkDefinitionCreationFlag
    wanted = flags.EXPLICIT_BATCH if version == "8.6.1" else flags.STRONGLY_TYPED
    assert script.network_flags == 1 << wanted


@pytest.mark.parametrize(("precision", "old"), [("fp32", set()), ("fp16", {"FP16"}), ("int8", {"INT8"})])
def test_only_the_oldest_is_told_the_precision(version, precision, old):
    script = Script()
    build(version, script, replace(PLAN, precision=precision))
    assert script.flags == (old if version == "8.6.1" else set())
    assert script.cleared == ({"TF32"} if precision == "fp32" else set())


def test_an_operator_that_the_parser_does_not_know(version):
    script = Script(parser_errors=(("Plugin  not\nfound", "Wobble", "node_7"),))
    with pytest.raises(ModelError) as raised:
        build(version, script)
    where = "" if version == "8.6.1" else r" [operator Wobble, node node_7]"
    assert f"cannot read folder/model.onnx: Plugin not found{where}; build from an fp32" in str(raised.value)


def test_a_parser_that_fails_without_a_word():
    with pytest.raises(EngineError, match=r"TensorRT 10\.3\.0 cannot read model\.onnx: it gave no reason"):
        build("10.3.0", Script(parses=False))


def test_a_parser_error_without_a_node():
    with pytest.raises(ModelError, match=r"Failed to parse the ONNX model\.; build from"):
        build("10.3.0", Script(parser_errors=(("Failed to parse the ONNX model.", "", ""),)))


@pytest.mark.parametrize(
    "absent", ["create_network", "create_builder_config", "create_optimization_profile", "builder"]
)
def test_whatever_is_none_is_an_error_with_the_loggers_words(version, absent):
    script = Script(
        absent=(absent,),
        starts=absent != "builder",
        says=(("INFO", "hello"), ("WARNING", "beware"), ("INTERNAL_ERROR", "the\ndriver is  gone")),
    )
    with pytest.raises(EngineError, match=r"TensorRT\S* \S+ cannot start: the driver is gone$"):
        build(version, script)


@pytest.mark.parametrize("engine", [None, b""])
def test_a_build_that_gives_nothing(version, engine):
    script = Script(engine=engine, says=(("ERROR", "first"), ("ERROR", "second"), ("ERROR", "x" * 500)))
    with pytest.raises(EngineError) as raised:
        build(version, script)
    assert "cannot build an engine from model.onnx: first; second; xxx" in str(raised.value)
    assert len(str(raised.value)) < 500


@ON_BOTH_SIDES
@pytest.mark.parametrize(
    ("severity", "text"),
    [
        ("ERROR", "Cuda Error in allocate: 2 (out of memory)"),
        ("INTERNAL_ERROR", "Error Code 2: OutOfMemory (Requested size was 11580055552 bytes.)"),
        ("WARNING", "UNSUPPORTED_STATE: Skipping tactic 0 due to insufficient memory on requested size of 3"),
        ("ERROR", "Requested amount of GPU memory (1509 bytes) could not be allocated."),
        ("ERROR", "std::bad_alloc"),
    ],
)
def test_a_build_without_memory_says_so(version, severity, text):
    script = Script(engine=None, says=((severity, text), ("ERROR", "Could not find any implementation")))
    with pytest.raises(EngineError, match=r"ran out of memory \(.*\): close other programs, or .* --batch$"):
        build(version, script)


@ON_BOTH_SIDES
def test_a_process_without_memory_says_so(version):
    with pytest.raises(EngineError, match=r"ran out of memory \(it gave no reason\): close"):
        build(version, Script(raises=MemoryError))


def test_a_profile_that_is_refused(version):
    with pytest.raises(ModelError, match=r"does not accept patches of 128 x 128 in batches of 1 to 4 to 16"):
        build(version, Script(profile_index=-1))


def test_times_are_kept_for_the_next_build(version, tmp_path):
    plan = replace(PLAN, timing_cache=tmp_path / "deep" / "cache.timing")
    scripts = [Script(), Script()]
    for script in scripts:
        build(version, script, plan)
    if version.startswith("rtx"):
        assert [script.caches for script in scripts] == [[], []]
        assert not plan.timing_cache.exists()
    else:
        assert [script.caches for script in scripts] == [[b""], [b"times"]]
        assert [path.name for path in plan.timing_cache.parent.iterdir()] == ["cache.timing"]


@ON_BOTH_SIDES
@pytest.mark.parametrize(
    "changes",
    [{"cache_accepted": False}, {"absent": ("create_timing_cache",)}],
    ids=["of another version", "broken"],
)
def test_times_that_cannot_be_used_are_left_out(version, changes, tmp_path):
    plan = replace(PLAN, timing_cache=tmp_path / "cache.timing")
    plan.timing_cache.write_bytes(b"old")
    script = Script(**changes)
    assert build(version, script, plan) == ENGINE
    assert script.caches == [b"old", b""]
    assert plan.timing_cache.read_bytes() == b"times"


@ON_BOTH_SIDES
def test_times_that_cannot_be_kept_fail_no_build(version, tmp_path):
    (tmp_path / "file").touch()
    plan = replace(PLAN, timing_cache=tmp_path / "file" / "cache.timing")
    assert build(version, Script(), plan) == ENGINE
    for changes in ({"absent": ("get_timing_cache",)}, {"cache_serialized": None}):
        plan = replace(PLAN, timing_cache=tmp_path / "cache.timing")
        assert build(version, Script(**changes), plan) == ENGINE
        assert not plan.timing_cache.exists()


def test_progress_where_the_version_tells_of_it(version):
    told = []
    build(version, Script(), progress=lambda share, phase: told.append((share, phase)))
    if version == "8.6.1":
        assert told == []
    else:
        inner = [(step / 8, "Timing tactics") for step in (1, 2, 3, 4)]
        assert told == [*inner, (0.5, "Building engine"), (1.0, "Building engine")]


def test_an_error_while_telling_of_progress_ends_the_build_and_is_raised():
    def tell(share, phase):
        raise BrokenPipeError("the reader has gone")

    script = Script()
    with pytest.raises(BrokenPipeError, match="the reader has gone"):
        build("11.4.0", script, progress=tell)
    assert script.stopped
    assert script.steps == 1


def test_a_build_in_a_thread():
    built = []
    thread = threading.Thread(target=lambda: built.append(build("10.16.1")))
    thread.start()
    thread.join()
    assert built == [ENGINE]
