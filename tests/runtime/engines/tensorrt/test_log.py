import enum
import json
from types import SimpleNamespace

import pytest
from fake_tensorrt import API, VERSIONS

from retinagan.runtime.engines.tensorrt.log import message_log


class ILogger:
    Severity = enum.Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE")
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity


@pytest.fixture
def log():
    return message_log(SimpleNamespace(ILogger=ILogger))


def test_errors_are_said_in_one_line_and_forgotten(log):
    log.log(ILogger.ERROR, "[engine.cpp]  Serialization\n failed.")
    log.log(ILogger.INTERNAL_ERROR, "Magic tag")
    assert log.said() == "[engine.cpp] Serialization failed.; Magic tag"
    assert log.said() == "it gave no reason"


@pytest.mark.parametrize("severity", [ILogger.WARNING, ILogger.INFO, ILogger.VERBOSE])
def test_what_is_no_error_is_not_said(log, severity, capfd):
    log.log(severity, "a remark")
    assert log.said() == "it gave no reason"
    assert capfd.readouterr() == ("", "")


def test_an_error_that_repeats_is_said_once(log):
    for text in ("a", "b", "a", "a"):
        log.log(ILogger.ERROR, text)
    assert log.said() == "a; b"


def test_of_thousands_of_errors_the_last_are_kept_and_the_line_stays_short(log):
    for number in range(5000):
        log.log(ILogger.ERROR, f"error {number}")
    said = log.said()
    assert said.startswith("error 4984; ")
    assert said.endswith("error 4999")
    for number in range(16):
        log.log(ILogger.ERROR, f"{number} " + "x" * 100)
    assert len(log.said()) == 400


@pytest.mark.parametrize("severity", [ILogger.ERROR, ILogger.INTERNAL_ERROR, ILogger.WARNING])
@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: Out of Memory",
        "OutOfMemory (no more)",
        "Insufficient memory to use tactic",
        "requested amount of GPU memory could not be allocated",
        "std::bad_alloc",
    ],
)
def test_a_lack_of_memory_is_noticed_for_good(log, severity, text):
    log.log(ILogger.ERROR, "something else")
    assert not log.ran_out_of_memory
    log.log(severity, text)
    log.log(ILogger.ERROR, "something else")
    log.said()
    assert log.ran_out_of_memory


def test_what_is_told_in_passing_is_no_lack_of_memory(log):
    log.log(ILogger.INFO, "would run out of memory")
    assert not log.ran_out_of_memory


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_the_severities(version):
    names = json.loads((API / f"{version}.json").read_text())["ILogger"]
    assert {"INTERNAL_ERROR", "ERROR", "WARNING"} <= set(names)
