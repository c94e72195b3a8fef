"""`retina-serve`: a model served over HTTP.

Heavy imports come after the arguments are parsed, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retinagan.runtime import __version__
from retinagan.runtime.console.addresses import is_loopback
from retinagan.runtime.console.command import DONE, CommandParser, complain, run_command
from retinagan.runtime.console.wording import counted, say
from retinagan.runtime.errors import EngineError, OptionError
from retinagan.runtime.model_arguments import add_model_arguments, open_segmenter

if TYPE_CHECKING:
    from retinagan.runtime.serve.service import ServingOptions

_NAME = "retina-serve"
_UNANSWERED = 1

_DESCRIPTION = "Serve a model over HTTP: the KServe V2 inference protocol, and image files of people."
_EPILOG = """\
examples:
  retina-serve                                    http://127.0.0.1:8000, this machine alone
  retina-serve --host 0.0.0.0 --token-file token  all machines that know the token
  curl --data-binary @scan.jpg http://127.0.0.1:8000/segment > overlay.jpg

Ctrl-C, SIGTERM and SIGHUP stop it: it takes no new connection, answers the
requests that it has, and ends. A second signal ends it at once.

exit code: 0 stopped by a signal, all requests answered; 1 stopped by a signal,
some requests not answered within --stop-seconds; 2 it could not start, or its
engine failed; 70 a defect of this program; 130, 143, 129 ended at once by
Ctrl-C, SIGTERM, SIGHUP.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `retina-serve` with the given arguments, by default the process's; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(_NAME, lambda: _run(_parsed(given)))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = CommandParser(_NAME, _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add_model_arguments(parser)
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 for all of this machine's (default: %(default)s, reached from "
        "this machine alone)",
    )
    add("--port", type=int, default=8000, help="port to listen at; 0 for any free one (default: %(default)s)")
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with a secret that clients must send (Authorization: Bearer TOKEN)",
    )
    add("--workers", type=int, default=2, metavar="N", help="images segmented at once (default: %(default)s)")
    add(
        "--queue",
        type=int,
        default=8,
        metavar="N",
        help="requests that may wait besides; more are told to come again (503) (default: %(default)s)",
    )
    add(
        "--max-request",
        type=float,
        default=64,
        metavar="MIB",
        help="largest request in MiB (default: %(default)s)",
    )
    add(
        "--max-megapixels",
        type=float,
        default=50,
        metavar="N",
        help="largest image in millions of pixels (default: %(default)s)",
    )
    add(
        "--upload-seconds",
        type=float,
        default=30,
        metavar="S",
        help="longest time for a request to arrive (default: %(default)s)",
    )
    add(
        "--stop-seconds",
        type=float,
        default=25,
        metavar="S",
        help="longest time to answer requests after a signal (default: %(default)s)",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(arguments)
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    """Raise `OptionError` for a number out of range."""
    ranges = {
        "port": (0, 65535),
        "workers": (1, 64),
        "queue": (0, 1000),
        "max_request": (0.001, 4096),
        "max_megapixels": (0.001, 100),
        "upload_seconds": (1, 3600),
        "stop_seconds": (1, 3600),
    }
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise OptionError(f"--{name.replace('_', '-')}: got {value:g}; expected {low:g} to {high:g}")


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # errors of an image are in its answer
    try:
        from retinagan.runtime.serve.server import bound_socket, serve, url_of
        from retinagan.runtime.serve.service import Service
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn", "prometheus_client", "starlette"):
            raise
        raise EngineError(f'{error.name} is not installed; type  pip install "retinagan[serve]"') from None
    from retinagan.runtime.serve.handler import Handler

    serving = _serving_options(options)
    with (
        bound_socket(options.host, options.port) as bound,
        open_segmenter(_NAME, options) as segmenter,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # decoders warn about files that they can read
        handler = Handler(segmenter, options.field_of_view, serving.max_pixels)
        segmenter.warmup()
        if serving.token is None and not is_loopback(options.host):
            complain(
                _NAME,
                f"warning: all who reach {options.host} may use this server; ask for a token by --token-file",
            )
        say(f"{_NAME}: model {segmenter.spec.name} on {segmenter.engine}", sys.stdout)
        address = f"{_NAME}: {url_of(bound)} (Ctrl-C stops)"
        unanswered = serve(
            Service(handler, serving), bound, options.stop_seconds, lambda: say(address, sys.stdout)
        )
    if unanswered:
        complain(_NAME, f"{counted(unanswered, 'request')} not answered within {options.stop_seconds:g} s")
        return _UNANSWERED
    return DONE


def _serving_options(options: argparse.Namespace) -> ServingOptions:
    from retinagan.runtime.serve.service import ServingOptions

    return ServingOptions(
        workers=options.workers,
        queue=options.queue,
        max_request=round(options.max_request * 2**20),
        max_pixels=round(options.max_megapixels * 1e6),
        upload_seconds=options.upload_seconds,
        token=None if options.token_file is None else read_token(options.token_file),
    )


def read_token(path: Path) -> str:
    """Return the secret in a file, without white space around it.

    Raises
    ------
    OptionError
        If the file cannot be read, or does not hold one word of printable ASCII.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise OptionError(f"--token-file {path}: {error.strerror}; expected a file with a secret") from None
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise OptionError(
            f"--token-file {path}: expected one word of printable ASCII; make one by  openssl rand -hex 32"
        )
    return token


if __name__ == "__main__":
    sys.exit(main())
