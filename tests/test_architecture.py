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

COMMON = "runtime.errors runtime.warnings runtime.faults runtime.atomic runtime.forked runtime.memory"
MAY_IMPORT = {
    # The floor of runtime: what every other module may use.
    "ace_ext": "",
    # The public names; what needs OpenCV at first use.
    "runtime": (
        "runtime.errors runtime.warnings runtime.model runtime.images runtime.segmenter runtime.measures "
        "runtime.batch"
    ),
    "runtime.errors": "",
    "runtime.warnings": "",
    "runtime.faults": "runtime.errors",
    "runtime.atomic": "runtime.errors",
    "runtime.forked": "runtime.errors",
    "runtime.memory": "",
    "runtime.models": "",
    "runtime.storage": COMMON,
    # runtime, from the floor up
    "runtime.console": COMMON,
    "runtime.images": f"{COMMON} runtime.images.dicom runtime.dicom.mark",
    "runtime.images.dicom": f"{COMMON} runtime.images runtime.dicom.mark",
    "runtime.dicom": "runtime.errors runtime.dicom.mark",
    "runtime.dicom.mark": "",
    "runtime.retina": COMMON,
    "runtime.model": COMMON,
    "runtime.steps": f"{COMMON} ace_ext runtime.images runtime.retina runtime.model",
    "runtime.measures": f"{COMMON} runtime.retina runtime.steps",
    "runtime.engines": f"{COMMON} runtime.model runtime.engines.cuda runtime.engines.tensorrt",
    "runtime.engines.cuda": f"{COMMON} runtime.engines",
    "runtime.engines.tensorrt": f"{COMMON} runtime.model runtime.engines runtime.engines.cuda",
    "runtime.stream": f"{COMMON} runtime.images runtime.model runtime.steps runtime.engines",
    "runtime.segmenter": (
        f"{COMMON} runtime.images runtime.retina runtime.model runtime.steps runtime.engines runtime.stream"
    ),
    "runtime.model_arguments": f"{COMMON} runtime.console runtime.images runtime.model runtime.segmenter",
    "runtime.batch": (
        f"{COMMON} runtime runtime.console runtime.images runtime.images.dicom runtime.retina runtime.model "
        "runtime.steps runtime.storage runtime.stream runtime.segmenter runtime.model_arguments "
        "runtime.dicom runtime.dicom.mark runtime.measures"
    ),
    "runtime.serve": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model runtime.steps runtime.segmenter "
        "runtime.model_arguments runtime.batch"
    ),
    "runtime.camera": (
        f"{COMMON} runtime runtime.console runtime.images runtime.stream runtime.model_arguments "
        "runtime.batch"
    ),
    "runtime.node": (
        f"{COMMON} runtime runtime.console runtime.images.dicom runtime.dicom.mark runtime.storage "
        "runtime.batch"
    ),
    "runtime.doctor": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model "
        "runtime.engines.cuda runtime.segmenter"
    ),
    # train
    "train.checkpoints": COMMON,
    "train.nets": f"{COMMON} runtime.model",
    "train.data": f"{COMMON} runtime.console runtime.images runtime.retina runtime.model runtime.steps",
    "train.scores": (
        f"{COMMON} runtime runtime.console runtime.images runtime.model runtime.steps runtime.segmenter "
        "train.data train.nets"
    ),
    "train.loop": (
        f"{COMMON} runtime runtime.console runtime.model runtime.steps "
        "train.checkpoints train.nets train.data train.scores"
    ),
    "train.paper": (
        f"{COMMON} runtime runtime.console runtime.doctor train.nets train.data train.scores train.loop"
    ),
    "train.commands": "runtime.console train.scores train.loop train.paper",
    # export
    "export.progress": COMMON,
    "export.cache": COMMON,
    "export.options": f"{COMMON} runtime.model",
    "export.proof": (
        f"{COMMON} runtime.batch runtime.engines runtime.images runtime.retina runtime.model runtime.steps "
        "train.data train.scores"
    ),
    "export.graph": (
        f"{COMMON} runtime runtime.engines runtime.images runtime.model runtime.steps train.nets "
        "export.cache export.options export.progress export.proof"
    ),
    "export.tensorrt": (
        f"{COMMON} runtime.console runtime.engines runtime.engines.cuda runtime.engines.tensorrt "
        "runtime.model runtime.steps "
        "export.cache export.options export.progress export.proof"
    ),
    "export.precisions": (
        f"{COMMON} runtime.console runtime.engines runtime.model "
        "export.graph export.options export.progress export.proof export.tensorrt"
    ),
    "export.plan": (
        f"{COMMON} runtime.engines runtime.engines.cuda runtime.engines.tensorrt "
        "export.graph export.options export.proof"
    ),
    "export.check": f"{COMMON} runtime.model export.proof export.tensorrt",
    "export.triton": (
        f"{COMMON} runtime.console runtime.model runtime.serve export.check export.progress export.tensorrt"
    ),
    "export.parser": f"{COMMON} runtime runtime.console export.options",
    "export.cli": (
        f"{COMMON} runtime.console runtime.model "
        "export.check export.options export.parser export.plan export.precisions export.progress "
        "export.proof export.tensorrt export.triton"
    ),
}
"""A part of the package, and the parts that it may import. A part always sees itself."""

NEVER = {
    "ace_ext": {"retinagan.runtime", "cv2", "PIL", "torch", "onnx"},
    "runtime": {"torch", "onnx", "sklearn", "skimage", "matplotlib"},
    "train": {"onnx", "onnxscript"},
    "export": set(),
}
"""Packages that a room never imports, wherever in a module the import is written."""

EXCEPT = {("runtime.measures", "skimage")}
"""A part, and a package that it imports when it is asked for."""


def parts() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield part_of(module_name(path)), path


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """Give the longest entry of MAY_IMPORT that holds a module."""
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
            assert heavy is None or (part, heavy) in EXCEPT, (
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


def test_each_permission_is_used():
    used: dict[str, set[str]] = {part: set() for part in MAY_IMPORT}
    for part, path in parts():
        names = {
            name.removeprefix("retinagan.") for _, name in imported(path) if name.startswith("retinagan.")
        }
        used.setdefault(part, set()).update(map(part_of, names))
    for part, row in MAY_IMPORT.items():
        unused = set(row.split()) - used[part] - set(COMMON.split())
        assert not unused, f"{part} imports nothing of {', '.join(sorted(unused))}: take it out of its row"


def test_each_row_is_a_part_that_exists():
    found = {part for part, _ in parts()}
    assert set(MAY_IMPORT) - found == set()


def test_every_import_of_the_standard_library_and_beyond_is_seen():
    names = {name for _, path in parts() for _, name in imported(path)}
    assert {"numpy", "json"} <= {name.partition(".")[0] for name in names}
    assert "torch" in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
