"""A TensorRT to build with that has exactly the names of one real version, and does what a test wants.

Whoever touches a name that the version lacks gets an AttributeError, so a build that passes here with every
snapshot under ``data/tensorrt_api`` asks no version for what it has not.
"""

import enum
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

SNAPSHOTS = Path(__file__).parent / "data" / "tensorrt_api"
VERSIONS = ("8.6.1", "10.3.0", "10.16.1", "11.4.0", "rtx-1.7.1")
ENGINE = b"serialized engine"
PHASES = [("Building engine", None, 2), ("Timing tactics", "Building engine", 4)]


@dataclass
class Script:
    """What the fake does, and below the line what was done to it.

    `absent` names methods of the builder that give None; `says` are (severity, text) told to the logger
    during the build; a parser error is (description, operator, node).
    """

    engine: bytes | None = ENGINE
    absent: tuple[str, ...] = ()
    starts: bool = True
    says: tuple[tuple[str, str], ...] = ()
    raises: type[BaseException] | None = None
    parses: bool = True
    parser_errors: tuple[tuple[str, str, str], ...] = ()
    profile_index: int = 0
    cache_accepted: bool = True
    cache_serialized: bytes | None = b"times"
    # ---
    network_flags: int | None = None
    parsed: str | None = None
    flags: set[str] = field(default_factory=set)
    cleared: set[str] = field(default_factory=set)
    shapes: dict[str, tuple] = field(default_factory=dict)
    caches: list[bytes] = field(default_factory=list)
    steps: int = 0
    stopped: bool = False


def fake_tensorrt(version: str, script: Script | None = None) -> ModuleType:
    """Give a module with the names of a version in `VERSIONS` that builds, and does nothing else."""
    module = ModuleType("tensorrt_rtx" if version.startswith("rtx-") else "tensorrt")
    module.__version__ = version.removeprefix("rtx-")
    module.ILogger = _logger(frozenset(_names(version)["ILogger"]))
    add_builder(module, version, script or Script())
    return module


def add_builder(module: ModuleType, version: str, script: Script) -> None:
    """Give a fake module with an `ILogger` all that builds."""
    names = _names(version)
    for name in ("BuilderFlag", "NetworkDefinitionCreationFlag"):
        members = [member for member in names[name] if member not in ("name", "value")]
        setattr(module, name, enum.IntEnum(name, {member: value for value, member in enumerate(members)}))
    for name, maker in _CLASSES.items():
        if name in names:
            setattr(module, name, maker(frozenset(names[name]), script, module))


def _names(version: str) -> dict[str, list[str]]:
    return json.loads((SNAPSHOTS / f"{version}.json").read_text())


def _only(names: frozenset[str]) -> type:
    """A base class whose objects have these public names and no others."""

    class Only:
        def __getattribute__(self, name):
            if not name.startswith("_") and name not in names:
                raise AttributeError(f"this version has no {name}")
            return super().__getattribute__(name)

        def __setattr__(self, name, value):
            if not name.startswith("_") and name not in names:
                raise AttributeError(f"this version has no {name}")
            super().__setattr__(name, value)

    return Only


def _logger(names):
    """Subclassed by the code under test, which may add names of its own."""
    severities = enum.Enum("Severity", [name for name in sorted(names) if name.isupper()])
    methods = {"__init__": lambda self: None}
    return type("ILogger", (), {severity.name: severity for severity in severities} | methods)


def _monitor(names, script, module):
    assert {"phase_start", "step_complete", "phase_finish"} <= names
    return type("IProgressMonitor", (), {"__init__": lambda self: None})


def _builder(names, script, module):
    class Builder(_only(names)):
        def __init__(self, logger):
            if not script.starts:
                self._say(logger)
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._logger = logger

        def create_network(self, flags):
            script.network_flags = flags
            return self._made("create_network", object)

        def create_builder_config(self):
            return self._made("create_builder_config", module.IBuilderConfig)

        def create_optimization_profile(self):
            return self._made("create_optimization_profile", module.IOptimizationProfile)

        def build_serialized_network(self, network, config):
            self._say(self._logger)
            if script.raises:
                raise script.raises
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None and not _run_phases(monitor, script):
                return None
            return None if script.engine is None else module.IHostMemory(script.engine)

        def _made(self, name, maker):
            if name in script.absent:
                self._say(self._logger)
                return None
            return maker()

        def _say(self, logger):
            for severity, text in script.says:
                logger.log(getattr(module.ILogger, severity), text)

    return Builder


def _run_phases(monitor, script) -> bool:
    """Tell of the inner phase's steps and then the outer's, as TensorRT does; False if told to stop."""
    for name, parent, steps in PHASES:
        monitor.phase_start(name, parent, steps)
    for name, _, steps in reversed(PHASES):
        for step in range(steps):
            script.steps += 1
            if not monitor.step_complete(name, step):
                script.stopped = True
                return False
        monitor.phase_finish(name)
    return True


def _builder_config(names, script, module):
    class IBuilderConfig(_only(names)):
        if "progress_monitor" in names:
            progress_monitor = None

        def set_flag(self, flag):
            script.flags.add(flag.name)

        def clear_flag(self, flag):
            script.cleared.add(flag.name)

        def add_optimization_profile(self, profile):
            script.shapes = profile._shapes
            return script.profile_index

        def create_timing_cache(self, content):
            script.caches.append(content)
            return None if "create_timing_cache" in script.absent else module.ITimingCache(content)

        def set_timing_cache(self, cache, ignore_mismatch):
            assert ignore_mismatch is False
            return script.cache_accepted or not cache._content

        def get_timing_cache(self):
            return None if "get_timing_cache" in script.absent else module.ITimingCache(b"")

    return IBuilderConfig


def _timing_cache(names, script, module):
    class ITimingCache(_only(names)):
        def __init__(self, content):
            self._content = content

        def serialize(self):
            return None if script.cache_serialized is None else module.IHostMemory(script.cache_serialized)

    return ITimingCache


def _host_memory(names, script, module):
    class IHostMemory(_only(names)):
        def __init__(self, content):
            self._content = content
            self.nbytes = len(content)

        def __bytes__(self):
            return self._content

    return IHostMemory


def _profile(names, script, module):
    class IOptimizationProfile(_only(names)):
        def __init__(self):
            self._shapes = {}

        def set_shape(self, name, least, usual, most):
            self._shapes[name] = (least, usual, most)

    return IOptimizationProfile


def _parser_error(names, script, module):
    class ParserError(_only(names)):
        def __init__(self, error=None):
            self._error = error

        def desc(self):
            return self._error[0]

        if "node_operator" in names:

            def node_operator(self):
                return self._error[1]

            def node_name(self):
                return self._error[2]

    return ParserError


def _parser(names, script, module):
    class OnnxParser(_only(names)):
        def __init__(self, network, logger):
            for severity, text in script.says:
                logger.log(getattr(module.ILogger, severity), text)

        def parse_from_file(self, path):
            script.parsed = path
            return script.parses and not script.parser_errors

        @property
        def num_errors(self):
            return len(script.parser_errors)

        def get_error(self, index):
            return module.ParserError(script.parser_errors[index])

    return OnnxParser


_CLASSES = {
    "IProgressMonitor": _monitor,
    "Builder": _builder,
    "IBuilderConfig": _builder_config,
    "ITimingCache": _timing_cache,
    "IHostMemory": _host_memory,
    "IOptimizationProfile": _profile,
    "ParserError": _parser_error,
    "OnnxParser": _parser,
}
