"""What is installed and what works: each package checked, each engine tried, and the choice of "auto"."""

import importlib.util
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from retinagan.runtime import __version__
from retinagan.runtime.doctor.child import Answer, ask
from retinagan.runtime.doctor.machine import describe_cpu, describe_jetson
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.bundled import DEFAULT_MODEL, find_model
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import verify

Ask = Callable[[Mapping[str, Any]], tuple[list[Answer], str]]
State = Literal["ok", "absent", "problem"]

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_ONNX_RUNTIME = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
_BASE = {
    "numpy": ("numpy", "pip install --force-reinstall numpy"),
    "OpenCV": ("cv2", "pip install --force-reinstall opencv-python-headless"),
    "Pillow": ("PIL", "pip install --force-reinstall Pillow"),
    "ACE extension": ("retinagan.ace_ext", "pip install --force-reinstall --no-deps retinagan"),
}
_BUILDERS = {
    "TensorRT": (("tensorrt", "pycuda.driver"), 'pip install "retinagan[tensorrt]"'),
    "TensorRT-RTX": (("tensorrt_rtx", "pycuda.driver"), "pip install tensorrt-rtx pycuda"),
}
_BUILD = "retina-export retina-gan.onnx --out . --engine tensorrt; retina-doctor --model retina-gan.engine"
_SYSTEM_PACKAGES = "python3 -m venv --system-site-packages .venv"


@dataclass(frozen=True)
class Way:
    """An engine on a device that can run an ONNX file; `package` is the engine's module."""

    engine: str
    device: str
    package: str
    install: str

    @property
    def title(self) -> str:
        """The name shown to users."""
        return f"{ {'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}[self.engine] }, {self.device}"


WAYS = (
    Way("onnxruntime", "cuda", "onnxruntime", 'pip uninstall -y onnxruntime; pip install "retinagan[gpu]"'),
    Way("openvino", "cpu", "openvino", 'pip install "retinagan[openvino]"'),
    Way("onnxruntime", "cpu", "onnxruntime", 'pip install "retinagan[cpu]"'),
)
"""Engines and devices to try, the best first."""


@dataclass(frozen=True)
class Finding:
    """What was found about one topic.

    Attributes
    ----------
    topic : str
        What was examined.
    state : {"ok", "absent", "problem"}
        "absent" is no problem as long as something else does the work.
    text : str
        What is installed, or what is wrong.
    advice : str
        The command to type; empty where nothing is wrong.
    """

    topic: str
    state: State
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Examination:
    """All findings, and the self-test of the engine that "auto" chooses.

    Attributes
    ----------
    findings : tuple of Finding
    taken : dict
        What `run_self_test` returned for engine and device "auto"; "problem" alone if nothing ran.
    """

    findings: tuple[Finding, ...]
    taken: Answer

    @property
    def can_run(self) -> bool:
        """Whether the model runs here and gives the expected vessels."""
        return not self.taken["problem"]


def examine(model: str | os.PathLike[str] | None = None, ask: Ask = ask) -> Examination:
    """Check everything here, and try each engine.

    Parameters
    ----------
    model : str or path, optional
        Model for the self-test; the bundled one by default.
    ask : callable
        Like `child.ask`, which runs what may crash in a process of its own.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    path, jetson = find_model(model), describe_jetson()
    packages = _packages(ask)
    findings = [*_system(jetson), *packages, *_conflict("OpenCV", _OPENCV, "opencv-python-headless")]
    of_model = _model(path)
    findings.append(of_model)
    broken = [finding for finding in packages if finding.state == "problem"]
    if broken:
        taken = {"problem": f"nothing runs without {' and '.join(finding.topic for finding in broken)}"}
        return Examination((*findings, Finding("auto", "problem", taken["problem"], broken[0].advice)), taken)
    gpu = _gpu(ask)
    findings.append(gpu)
    has_gpu = gpu.state == "ok"
    findings += [_builder(name, ask, has_gpu=has_gpu, jetson=bool(jetson)) for name in _BUILDERS]
    wanted = '"retinagan[gpu]"' if has_gpu and not jetson else '"retinagan[cpu]"'
    findings += _conflict("ONNX Runtime", _ONNX_RUNTIME, wanted)
    if path.suffix == ".onnx":
        findings += [_tried(way, path, ask, has_gpu=has_gpu, jetson=bool(jetson)) for way in WAYS]
    taken = _answered(ask({"model": str(path), "engine": "auto", "device": "auto"}))
    findings.append(_auto(taken, findings, wanted))
    return Examination(tuple(_with_cause(finding, of_model) for finding in findings), taken)


def _system(jetson: str) -> list[Finding]:
    python = f"{platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    findings = [Finding("retinagan", "ok", __version__), Finding("Python", "ok", python)]
    findings += [Finding("Jetson", "ok", jetson)] if jetson else []
    return [*findings, Finding("processor", "ok", describe_cpu())]


def _packages(ask: Ask) -> list[Finding]:
    """Check the packages that every image needs, imported one after the other in one process."""
    answers, end = ask({"imports": [module for module, _ in _BASE.values()]})
    findings = []
    for number, (name, (_, advice)) in enumerate(_BASE.items()):
        found = answers[number] if number < len(answers) else {"problem": end or "it was not tried"}
        if found["problem"]:
            findings.append(Finding(name, "problem", f"cannot be imported ({found['problem']})", advice))
        else:
            findings.append(Finding(name, "ok", found["version"] or "compiled and loads"))
    return findings


def _conflict(name: str, distributions: Sequence[str], wanted: str) -> list[Finding]:
    """Find distributions that share a folder, where the last one installed has overwritten the others."""
    here = [one for one in distributions if _version(one)]
    if len(here) < 2:
        return []
    listed = " and ".join(f"{one} {_version(one)}" for one in here)
    text = f"{listed} are installed together and overwrite each other's files"
    return [Finding(name, "problem", text, f"pip uninstall -y {' '.join(here)}; pip install {wanted}")]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution) or "?"
    except metadata.PackageNotFoundError:
        return ""


def _model(path: Path) -> Finding:
    beside = spec_path(path)
    if not beside.is_file():
        text = f"{path.name} is not verified: {beside.name} is not beside it"
        return Finding("model", "problem", text, f"cp WHERE_IT_CAME_FROM/{beside.name} {path.parent}")
    try:
        spec = ModelSpec.load(beside)
        verify(path, spec)
    except ModelError as error:
        advice = f"cp WHERE_IT_CAME_FROM/{path.name}* {path.parent}"
        if path.parent == find_model(None).parent:
            advice = "pip install --force-reinstall --no-deps retinagan"
        return Finding("model", "problem", str(error), advice)
    return Finding("model", "ok", f"{path.name}, {spec.precision}, hash as in its spec")


def _gpu(ask: Ask) -> Finding:
    found = _answered(ask({"gpus": True}))
    if not found["problem"]:
        return Finding("NVIDIA GPU", "ok", found["text"])
    if found.get("driver", True):  # even if its process crashed
        return Finding("NVIDIA GPU", "problem", found["problem"], "nvidia-smi")
    return Finding("NVIDIA GPU", "absent", found["problem"])


def _builder(name: str, ask: Ask, *, has_gpu: bool, jetson: bool) -> Finding:
    """Check TensorRT or TensorRT-RTX, and pycuda, which both need to run an engine."""
    modules, install = _BUILDERS[name]
    if not _is_there(modules[0]):
        if jetson and name == "TensorRT":
            return Finding(name, "problem", "JetPack's TensorRT is not visible here", _SYSTEM_PACKAGES)
        return Finding(name, "absent", "not installed", install if has_gpu else "")
    answers, end = ask({"imports": list(modules)})
    problems = [found["problem"] for found in answers if found["problem"]] or ([end] if end else [])
    version = answers[0].get("version", "") if answers else ""
    if not problems and not version:
        problems = [f"a folder named {modules[0]} hides it"]
    if not has_gpu:
        return Finding(name, "absent", f"{version or 'installed'}, but there is no usable GPU")
    if not problems:
        return Finding(name, "ok", f"{version}; runs engines built on this device")
    text = f"{version or 'it'} cannot run engines ({'; '.join(problems)})"
    return Finding(name, "problem", text, install)


def _tried(way: Way, model: Path, ask: Ask, *, has_gpu: bool, jetson: bool) -> Finding:
    if way.device == "cuda" and not has_gpu:
        return Finding(way.title, "absent", "there is no usable GPU")
    if way.device == "cuda" and jetson:
        return Finding(way.title, "absent", "on a Jetson use a TensorRT engine for the GPU", _BUILD)
    if not _is_there(way.package):
        return Finding(way.title, "absent", "not installed", way.install)
    found = _answered(ask({"model": str(model), "engine": way.engine, "device": way.device}))
    if found["problem"]:
        return Finding(way.title, "problem", found["problem"], way.install)
    return Finding(way.title, "ok", passed(found))


def _with_cause(finding: Finding, of_model: Finding) -> Finding:
    """Advise to repair the model, not to install an engine, where the model is what an engine refuses."""
    if finding.state != "problem" or finding.text != " ".join(of_model.text.split()):
        return finding
    return replace(finding, advice=of_model.advice)


def passed(found: Answer) -> str:
    """Describe a passed self-test."""
    likeness = "as recorded" if found["recorded"] else f"similar to those of {DEFAULT_MODEL}"
    return f"{found['description']}: vessels {likeness} (Dice {found['dice']:.3f}), {found['seconds']:.2f} s"


def _auto(taken: Answer, findings: Sequence[Finding], wanted: str) -> Finding:
    """Describe the choice of "auto", or what would help most; `wanted` is what to install here."""
    if not taken["problem"]:
        reason = taken["selection"].removeprefix("auto: ").partition("; not ")[0]  # others are listed above
        reason = reason or "nothing else runs this file"
        return Finding("auto", "ok", f"{passed(taken)}; {reason}")
    states = {finding.topic: finding.state for finding in findings}
    text, advice = taken["problem"], f"pip install {wanted}"
    works = [way for way in WAYS if states.get(way.title) == "ok"]
    if works:
        advice = f"retina-run --engine {works[0].engine} --device {works[0].device} IMAGE"
    elif any(states[name] == "ok" for name in _BUILDERS):
        advice = _BUILD
    elif all(states.get(way.title) == "absent" for way in WAYS):
        text = "no engine is installed"
    return Finding("auto", "problem", text, advice)


def _answered(answers_and_end: tuple[list[Answer], str]) -> Answer:
    """Return the one answer, or how its process ended as the problem."""
    answers, end = answers_and_end
    if end or not answers:
        return {"problem": end or "its process gave no answer"}
    return answers[0]


def _is_there(module: str) -> bool:
    """Whether a module is installed; a plain folder of that name does not count."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None
