"""The commands of all pages: each names a program that exists and options that it has."""

import io
import re
import shlex
from contextlib import redirect_stdout, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples" / "README.md"])
SCRIPTS = r'^(retina-[\w-]+) = "([\w.]+):(\w+)"$'
COMMANDS = {
    name: (module, function)
    for name, module, function in re.findall(
        SCRIPTS, (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
}
"""The package's commands, each with the module and the function that it starts."""

PASSED_ON = {"retina-reproduce": "retina-train"}  # what the first does not know are options of the second


def commands(page: Path) -> list[list[str]]:
    """Give the commands of a page's code as words, continued lines joined, comments left out."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    names = "|".join(COMMANDS)
    blocks = re.findall(rf"^ {{4,}}((?:python|{names}) .*)$", text, re.MULTILINE)
    inline = re.findall(rf"`((?:python|{names}) [^`]*)`", text)
    return [shlex.split(line.replace("\n", " "), comments=True) for line in blocks + inline]


@lru_cache
def options_of(name: str) -> frozenset[str]:
    """Give the options that a command's help lists."""
    module, function = COMMANDS[name]
    main = getattr(import_module(module), function)
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main(["--help"])
    return frozenset(re.findall(r"(?<![\w-])--[a-z][a-z-]*", printed.getvalue()))


def test_every_command_of_the_package_is_shown_somewhere():
    shown = {words[0] for page in PAGES for words in commands(page)}
    assert set(COMMANDS) <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_exist_and_have_their_options(page):
    for words in commands(page):
        program, line = words[0], " ".join(words)
        if program == "python":
            script = words[1]
            assert script.startswith("-") or (ROOT / script).is_file(), f"no such program: {line}"
            continue
        known = options_of(program) | options_of(PASSED_ON.get(program, program))
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known
        assert not unknown, f"{program} has no {', '.join(sorted(unknown))}: {line}"
