"""The arrows between rooms and wings: which part of the package may import which.

``MAY_IMPORT`` is the only place that says it; ARCHITECTURE.md explains it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("ace_ext", "runtime", "train", "export")

COMMON = "runtime.errors runtime.atomic runtime.forked"
MAY_IMPORT = {
    # The floor of runtime: what every other module may use.
    "ace_ext": "",
    "runtime": "runtime.errors runtime.model runtime.segmenter",  # the public names, segmenter at first use
    "runtime.errors": "",
    "runtime.atomic": "runtime.errors",
    "runtime.forked": "runtime.errors",
    "runtime.models": "",
    # runtime, from the floor up
    "runtime.console": COMMON,
    "runtime.images": COMMON,
    "runtime.retina": COMMON,
    "runtime.model": COMMON,
    "runtime.steps": f"{COMMON} ace_ext runtime.images runtime.retina runtime.model",
    "runtime.engines": f"{COMMON} runtime.model runtime.engines.cuda runtime.engines.tensorrt",
    "runtime.engines.cuda": f"{COMMON} runtime.engines",
    "runtime.engines.tensorrt": f"{COMMON} runtime.model runtime.engines runtime.engines.cuda",
    "runtime.stream": f"{COMMON} runtime.images runtime.model runtime.steps runtime.engines",
    "runtime.segmenter": (
        f"{COMMON} runtime.images runtime.retina runtime.model runtime.steps runtime.engines runtime.stream"
    ),
    "runtime.batch": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model runtime.steps runtime.segmenter"
    ),
    "runtime.doctor": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model "
        "runtime.engines.cuda runtime.segmenter"
    ),
    # train
    "train.checkpoints": COMMON,
    "train.nets": f"{COMMON} runtime.model",
    "train.data": f"{COMMON} runtime.images runtime.retina runtime.steps",
    "train.scores": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model runtime.steps runtime.segmenter "
        "train.data train.nets train.loop"
    ),
    "train.loop": (
        f"{COMMON} runtime runtime.console runtime.model runtime.steps "
        "train.checkpoints train.nets train.data train.scores"
    ),
    "train.paper": (
        f"{COMMON} runtime runtime.console runtime.doctor train.nets train.data train.scores train.loop"
    ),
    "train.commands": "train.scores train.loop train.paper",
    # export
    "export.progress": COMMON,
    "export.options": f"{COMMON} runtime.model",
    "export.proof": (
        f"{COMMON} runtime.batch runtime.engines runtime.images runtime.model runtime.steps "
        "train.data train.scores export.graph export.options"
    ),
    "export.graph": (
        f"{COMMON} runtime runtime.engines runtime.images runtime.model runtime.steps train.nets "
        "export.options export.progress export.proof"
    ),
    "export.tensorrt": (
        f"{COMMON} runtime runtime.engines runtime.engines.cuda runtime.engines.tensorrt runtime.model "
        "runtime.steps "
        "export.options export.progress export.proof"
    ),
    "export.precisions": (
        f"{COMMON} runtime.engines runtime.model "
        "export.graph export.options export.progress export.proof export.tensorrt"
    ),
    "export.plan": (
        f"{COMMON} runtime.engines runtime.engines.cuda runtime.engines.tensorrt runtime.model "
        "export.graph export.options export.proof"
    ),
    "export.check": f"{COMMON} runtime.model export.options export.proof export.tensorrt",
    "export.cli": (
        f"{COMMON} runtime runtime.console runtime.model "
        "export.check export.options export.plan export.precisions export.progress export.proof "
        "export.tensorrt"
    ),
}
"""A part of the package, and the parts that it may import. A part always sees itself."""

WINGS = {
    "runtime.images": ("frames integrity reading "),
    "runtime.retina": ("disc plausibility roi still_retina "),
    "runtime.steps": ("crop equalize patches prepare rim steps tensors timing "),
    "runtime.model": ("bundled fields onnx_metadata spec "),
    "runtime.engines": (
        "adapters.base adapters.model_file adapters.onnx_runtime adapters.opening "
        "adapters.openvino_engine adapters.pool "
    ),
    "runtime.engines.cuda": ("adapters.cuda_context adapters.cuda_driver adapters.cuda_graph "),
    "runtime.engines.tensorrt": (
        "adapters.tensorrt_device adapters.tensorrt_engine adapters.tensorrt_lane adapters.tensorrt_log "
    ),
    "runtime.stream": ("asynchronous frame_line frame_steps stage_threads stream stream_statistics "),
    "runtime.batch": ("batch cli inputs naming outputs overlay pictures pipeline progress report summary "),
    "runtime.doctor": ("child doctor doctor_cli machine self_test "),
    "runtime.console": ("wording "),
    "train.nets": ("averaging checkpoint discriminator generator layout "),
    "train.data": ("augmentation dataset_files datasets layouts shifts "),
    "train.loop": (
        "accumulation adversarial_step batches board devices journal losses options part_work "
        "pixel_step release resuming run schedule teacher train_command train_parser trainer "
        "validation watch workers "
    ),
    "train.scores": (
        "bootstrap centreline comparison evaluate_command evaluation evaluation_figures figures "
        "map_counts metrics prediction score_files "
    ),
    "train.paper": ("log_summary paper reproduce_command reproduction results_figures results_page "),
    "export.graph": ("calibration fold graph half onnx_file patches quantize source torch_adapter "),
    "export.precisions": ("drafts exporting layer_search making "),
    "export.tensorrt": ("build_watch engine_export tensorrt_builder "),
    "export.proof": ("agreement bounds image_sets parity proof_pack proving "),
}
"""Which modules make a wing: today they lie in one folder a room."""

NEVER = {
    "ace_ext": {"retinagan.runtime", "cv2", "PIL", "torch", "onnx"},
    "runtime": {"torch", "onnx", "kornia", "sklearn", "skimage", "matplotlib"},
    "train": {"onnx", "onnxscript"},
    "export": set(),
}
"""Packages that a room never imports, wherever in a module the import is written."""


def parts() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield part_of(module_name(path)), path


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """Give the longest entry of MAY_IMPORT that holds a module."""
    room, _, rest = module.partition(".")
    for wing, names in WINGS.items():
        if wing.startswith(room) and rest in names.split():
            return wing
    if module.startswith("runtime.adapters"):
        return "runtime.engines"
    if module in ("train.installed", "train.cli_train", "train.cli_evaluate", "train.cli_reproduce"):
        return "train.commands"
    if module == "runtime.seams":  # a helper of tests
        return "runtime.steps"
    if module == "export.steps":
        return "export.progress"
    name = module
    while name and name not in MAY_IMPORT:
        name = name.rpartition(".")[0]
    return name


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Give each import of a file as line and dotted name, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}:{node.lineno}: write the whole name, not a dot"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield node.lineno, name if is_module(name) else str(node.module)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.removeprefix("retinagan.").split("."))
    return name.startswith("retinagan.") and (path.is_dir() or path.with_suffix(".py").is_file())


@pytest.mark.parametrize(("part", "path"), [pytest.param(*pair, id=module_name(pair[1])) for pair in parts()])
def test_a_part_imports_only_what_its_row_names(part, path):
    if not part or part in ("train", "export"):
        assert path.name == "__init__.py", (
            f"{path.relative_to(ROOT)} is in no wing: move it into one, "
            "or add its row to MAY_IMPORT in tests/test_architecture.py"
        )
    allowed = {part, *MAY_IMPORT.get(part, "").split()}
    for line, name in imported(path):
        target = part_of(name.removeprefix("retinagan."))
        if name.startswith("retinagan.") and target not in allowed:
            pytest.fail(
                f"{path.relative_to(ROOT)}:{line} imports {name}, but {part} may import only "
                f"{', '.join(sorted(allowed - {part})) or 'nothing of the package'}. Move the code down to a "
                "part that both may import, pass the value in as an argument, or, if the arrow points down, "
                "add it to MAY_IMPORT in tests/test_architecture.py."
            )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_never_imports_what_would_weigh_it_down(room):
    for part, path in parts():
        if part.partition(".")[0] != room:
            continue
        for line, name in imported(path):
            heavy = next((word for word in NEVER[room] if name == word or name.startswith(f"{word}.")), None)
            assert heavy is None, (
                f"{path.relative_to(ROOT)}:{line} imports {heavy}, which {room} never does: "
                "put the code into the room that needs it (ARCHITECTURE.md, Rooms)"
            )


def test_no_room_imports_one_to_its_right():
    order = {room: place for place, room in enumerate(ROOMS)}
    for part, allowed in MAY_IMPORT.items():
        for target in allowed.split():
            assert order[target.partition(".")[0]] <= order[part.partition(".")[0]], (
                f"{part} imports {target}"
            )


def test_each_row_is_a_part_that_exists():
    found = {part for part, _ in parts()}
    assert set(MAY_IMPORT) - found == set()


def test_every_import_of_the_standard_library_and_beyond_is_seen():
    names = {name for _, path in parts() for _, name in imported(path)}
    assert {"numpy", "json"} <= {name.partition(".")[0] for name in names}
    assert "torch" in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
