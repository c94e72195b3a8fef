"""`retina-doctor`: reports what is installed, what works, and what to type where it does not.

Heavy imports come after the arguments are parsed, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser, run_command
from retinagan.runtime.console.wording import counted, say
from retinagan.runtime.model.bundled import DEFAULT_MODEL, bundled_models

if TYPE_CHECKING:
    from retinagan.runtime.doctor.examine import Examination, Finding

_NAME = "retina-doctor"
_RUNS, _DOES_NOT_RUN = 0, 1

_MARKS = {"ok": "ok", "absent": "--", "problem": "!!"}
_TOPIC_WIDTH = 20
_DESCRIPTION = "Check what is installed, which engines work, and which one retina-run uses."
_EPILOG = """\
The self-test segments a bundled picture with each engine, in a process of its
own, and compares the vessels with the recorded ones.

ok  works     --  not installed     !!  a problem, with the command to type

exit code: 0 the model runs here and gives the expected vessels; 1 it does not;
2 no such model or option; 70 a defect of this program; 130, 143, 129 stopped by
Ctrl-C, SIGTERM, SIGHUP.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `retina-doctor` with the given arguments, by default the process's; return its exit code."""
    return run_command(_NAME, lambda: _examined(arguments))


def _examined(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    from retinagan.runtime.doctor.examine import examine

    found = examine(options.model)
    for line in _as_json(found).splitlines() if options.json else _as_text(found):
        say(line, sys.stdout)
    return _RUNS if found.can_run else _DOES_NOT_RUN


def _parser() -> CommandParser:
    parser = CommandParser(_NAME, _DESCRIPTION, _EPILOG)
    names = ", ".join(bundled_models())
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help=f"bundled model ({names}), ONNX file or engine to test (default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--json", action="store_true", help="print all findings as one JSON object")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _as_json(found: Examination) -> str:
    values = {
        "version": __version__,
        "can_run": found.can_run,
        "auto": found.taken,
        "findings": [asdict(finding) for finding in found.findings],
    }
    return json.dumps(values, indent=2)


def _as_text(found: Examination) -> Iterator[str]:
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    for finding in found.findings:
        yield from _lines(finding, width)
    problems = [finding for finding in found.findings if finding.state == "problem"]
    yield ""
    if found.can_run:
        rest = f", with {counted(len(problems), 'problem')} left" if problems else ""
        yield f"Images can be segmented here{rest}:  retina-run IMAGE"
    else:
        yield "Nothing can be segmented here until this is fixed."


def _lines(finding: Finding, width: int) -> list[str]:
    """Format a finding; below a problem, the command to type on a line of its own."""
    text = finding.text
    if finding.advice and finding.state == "absent":
        text += f": {finding.advice}"
    head = f"{_MARKS[finding.state]}  {finding.topic:<{_TOPIC_WIDTH}}"
    indent = " " * len(head)
    lines = textwrap.wrap(text, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    return [*lines, f"    type:  {finding.advice}"] if finding.state == "problem" else lines


if __name__ == "__main__":
    sys.exit(main())
