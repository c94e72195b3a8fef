"""Checks that may crash, such as running an engine, each in a process of its own."""

import importlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from retinagan.runtime.doctor.machine import describe_gpus, has_driver
from retinagan.runtime.doctor.self_test import run_self_test
from retinagan.runtime.errors import EngineError, RetinaGanError

Answer = dict[str, Any]

_PATIENCE = 300.0  # seconds; the first start of CUDA on a small device takes long
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from retinagan.runtime.doctor.child import answer; answer(json.loads(sys.argv[2]), int(sys.argv[3]))"
)


def answer(question: Mapping[str, Any], pipe: int) -> None:
    """Answer a question of `ask` with lines of JSON; runs in the process that `ask` starts."""
    warnings.simplefilter("ignore")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    with os.fdopen(pipe, "w", encoding="utf-8") as file:
        for name in question.get("imports", ()):
            _tell(file, _imported(name))
        try:
            if "gpus" in question:
                _tell(file, _gpus())
            if "engine" in question:
                _tell(file, run_self_test(question["model"], question["engine"], question["device"]))
        except (RetinaGanError, ImportError) as error:
            _tell(file, {"problem": " ".join(str(error).split())})


def _tell(file: Any, values: Answer) -> None:
    file.write(json.dumps(values) + "\n")
    file.flush()  # what comes next may crash the process


def _imported(name: str) -> Answer:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # broken packages raise anything
        return {"problem": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    version = getattr(module, "__version__", None) or getattr(module, "VERSION_TEXT", None)
    return {"version": str(version or ""), "problem": ""}


def _gpus() -> Answer:
    try:
        return {"driver": True, "text": describe_gpus(), "problem": ""}
    except EngineError as error:
        return {"driver": has_driver(), "problem": str(error)}


def ask(question: Mapping[str, Any], patience: float = _PATIENCE) -> tuple[list[Answer], str]:
    """Answer a question in a process of its own.

    Parameters
    ----------
    question : mapping
        One of: "imports", names of modules; "gpus"; "model", "engine" and "device" as for `run_self_test`.
    patience : float
        Time in seconds after which the process is killed.

    Returns
    -------
    answers : list of dict
        For each module "version" and "problem"; for the GPUs "driver" (whether there is one), "text" and
        "problem"; for the self-test what `run_self_test` returns, or "problem" alone.
    end : str
        How the process ended early; empty if it did not.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as answers:
        try:
            end = _ended(json.dumps(dict(question)), writing, patience)
        finally:
            os.close(writing)
        return [json.loads(line) for line in answers if line.endswith("\n")], end


def _ended(question: str, pipe: int, patience: float) -> str:
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), question, str(pipe)]
    try:
        finished = subprocess.run(
            command,
            pass_fds=[pipe],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its process did not finish within {patience:g} s"
    if finished.returncode < 0:
        try:
            return f"its process was killed by {signal.Signals(-finished.returncode).name}"
        except ValueError:
            return f"its process was killed by signal {-finished.returncode}"
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"]
        return f"its process failed: {lines[-1][:300]}"
    return ""
