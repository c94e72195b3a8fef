"""`retina-node`: a DICOM node that segments what it is sent.

Heavy imports come after the arguments are parsed, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from retinagan.runtime import __version__
from retinagan.runtime.batch.opening import add_shared_options, kinds_to_save, opened
from retinagan.runtime.batch.pictures import KINDS, objects_among
from retinagan.runtime.console.addresses import is_loopback
from retinagan.runtime.console.command import DONE, CommandParser, run_command
from retinagan.runtime.console.signals import Stopped
from retinagan.runtime.console.wording import say
from retinagan.runtime.errors import EngineError, OptionError
from retinagan.runtime.node.durable import made_folder
from retinagan.runtime.node.peers import Keys, Peer, ae_title
from retinagan.runtime.storage.address import check_folder, is_url, local_path

_NAME = "retina-node"
_MIB = 1 << 20
_PAUSE = 60.0  # seconds until it is tried again to write
_SENT_BY_DEFAULT = ("dicom-seg", "dicom-overlay")

_DESCRIPTION = "Receive fundus images by DICOM, segment them, and keep or send the results."
_EPILOG = """\
examples:
  retina-node --out maps
  retina-node --host 0.0.0.0 --allow CAMERA1 --send ARCHIVE@10.0.0.5:104

It answers C-ECHO, and takes images by C-STORE. An image is acknowledged when it
is on the disk; after a kill or a power cut, the same command goes on with it.
Results are sent again and again until the archive has them.

Ctrl-C, SIGTERM and SIGHUP stop it: images under way are finished, the others
wait for the next start.

exit code: 0 stopped by a signal; 2 it could not start or continue; 70 a defect
of this program; 130, 143, 129 ended at once by a second signal.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `retina-node` with the given arguments, by default the process's; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(_NAME, lambda: _run(_parsed(given)))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = CommandParser(_NAME, _DESCRIPTION, _EPILOG)
    parser.set_defaults(shard=None, measure=False, every_measure=False, report=False, report_names=None)
    add = parser.add_argument
    add(
        "--out",
        default="out",
        metavar="DIR",
        help="folder of results and queue (default: %(default)s)",
    )
    add("--aet", default="RETINA", help="AE title that callers must call (default: %(default)s)")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 for all of this machine's (default: %(default)s, reached from "
        "this machine alone)",
    )
    add("--port", type=int, default=11112, help="port to listen at; 0: a free one (default: %(default)s)")
    add(
        "--allow",
        nargs="+",
        action="extend",
        default=[],
        metavar="AET",
        help="AE titles that may call; others are rejected. Needed with --host, unless --allow-any is given",
    )
    add("--allow-any", action="store_true", help="any AE title may call")
    add(
        "--send",
        metavar="AET@HOST:PORT",
        help="archive that gets the DICOM results (default of --save is then dicom-seg dicom-overlay)",
    )
    add("--send-tls", action="store_true", help="encrypt what is sent, and check the archive's certificate")
    add(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="take TLS connections alone, with this PEM certificate",
    )
    add("--tls-key", type=Path, metavar="FILE", help="key of that certificate, if it is not in the same file")
    add(
        "--tls-ca",
        type=Path,
        metavar="FILE",
        help="certificates of authorities (PEM): callers and the archive need a certificate by one of them",
    )
    add_shared_options(parser)
    for name, unit, default, _, _, text in NUMBERS:
        add(f"--{name}", type=int, default=default, metavar=unit, help=f"{text} (default: %(default)s)")
    add(
        "--overwrite",
        action="store_true",
        help="segment objects again that come again, and replace files of other programs",
    )
    add("--quiet", action="store_true", help="print only fatal errors")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(arguments)
    options.kinds, others = kinds_to_save(options.save, parser)
    if others:
        parser.error(f"argument --save: got {others[0]!r}; expected kinds of results alone")
    _check(options)
    return options


NUMBERS = (
    ("max-object", "MIB", 256, 1, 2048, "size of the largest object, in MiB"),
    ("queue", "N", 1000, 1, 1_000_000, "objects that may wait; more are refused, out of resources"),
    ("min-free", "MIB", 1024, 0, 1 << 30, "MiB of the disk that stay free; objects are refused before"),
    ("associations", "N", 8, 1, 1000, "callers at once"),
    ("pdu", "BYTES", 1 << 17, 4096, 1 << 20, "longest protocol data unit that callers are told to send"),
)
"""Options that are numbers: name, unit, default, least, most, and what they are."""


def _check(options: argparse.Namespace) -> None:
    """Read the options that have a form of their own, and raise `OptionError` for those that are wrong."""
    for name, _, _, least, most, _ in (("port", "", 0, 0, 65535, ""), *NUMBERS):
        value = getattr(options, name.replace("-", "_"))
        if not least <= value <= most:
            raise OptionError(f"--{name}: got {value}; expected {least} to {most}")
    if is_url(options.out):
        raise OptionError(f"argument --out: got {options.out!r}; expected a folder of this machine")
    check_folder(options.out)
    options.out = local_path(options.out)
    options.aet = ae_title(options.aet, "--aet")
    options.allow = [ae_title(title, "--allow") for title in options.allow]
    options.send = None if options.send is None else Peer.parse(options.send)
    if not (options.allow or options.allow_any or is_loopback(options.host)):
        raise OptionError(
            f"--host {options.host} lets other machines call: name their AE titles by --allow, "
            "or give --allow-any"
        )
    if options.allow and options.allow_any:
        raise OptionError("--allow and --allow-any exclude each other; give one of them")
    if options.send_tls and options.send is None:
        raise OptionError("--send-tls needs --send AET@HOST:PORT")
    if options.tls_key is not None and options.tls_cert is None:
        raise OptionError("--tls-key needs --tls-cert")
    if options.tls_ca is not None and options.tls_cert is None and not options.send_tls:
        raise OptionError("--tls-ca needs --tls-cert or --send-tls")
    if options.send is not None and not objects_among(options.kinds):
        options.kinds = tuple(kind for kind in KINDS if kind in {*options.kinds, *_SENT_BY_DEFAULT})


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # errors of an image are in its row
    try:
        import retinagan.runtime.node.receiving
        import retinagan.runtime.node.sending  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pydicom", "pynetdicom"):
            raise
        raise EngineError(f'{error.name} is not installed; type  pip install "retinagan[node]"') from None
    with suppress(OSError):  # the output folder says better what is wrong
        made_folder(Path(options.out).absolute())
    from retinagan.runtime.batch.outputs import OutputError

    log, listens = _Log(quiet=options.quiet), threading.Event()
    with suppress(Stopped):
        while True:
            try:
                _serve(options, log, listens)
                break
            except OutputError as error:
                if not listens.is_set():
                    raise
                log(f"{_NAME}: {error}; starting again in {_PAUSE:g} s")
            time.sleep(_PAUSE)
    return DONE


def _serve(options: argparse.Namespace, log: _Log, listens: threading.Event) -> None:
    """Run a node until a signal arrives or nothing can be written; set `listens` when it listens."""
    from retinagan.runtime.batch.inputs import every_frame
    from retinagan.runtime.node.inbox import Inbox
    from retinagan.runtime.node.ledger import FILE_NAME, Ledger
    from retinagan.runtime.node.node import Node, NodeOptions
    from retinagan.runtime.node.receiving import Limits, Receiver
    from retinagan.runtime.node.sending import Sender

    keys = Keys(options.tls_cert, options.tls_key, options.tls_ca)
    sizes = options.max_object * _MIB, options.queue, options.min_free * _MIB
    limits = Limits(*sizes, options.associations, options.pdu)
    how = NodeOptions(
        options.kinds,
        () if options.send is None else objects_among(options.kinds),
        every_frame if options.frames == "all" else tuple,
        options.overwrite,
    )
    to_archive = keys.for_sending() if options.send_tls else None
    with (
        opened(options, _NAME) as place,
        Ledger(place.folder.directory / FILE_NAME) as ledger,
        Inbox(place.folder.directory, limits.objects, limits.free_bytes) as inbox,
    ):
        folder, peer = place.folder.directory, options.send
        sender = None if peer is None else Sender(ledger, folder, peer, options.aet, to_archive, log)
        with sender or nullcontext():
            node = Node(inbox, ledger, place, how, log, sender.wake if sender else _nothing)
            with Receiver(inbox, node.is_done, options.aet, options.allow, limits, log) as receiver:
                port = receiver.listen(options.host, options.port, keys)
                with suppress(Stopped):
                    listens.set()
                    log(f"{_NAME}: {options.aet} listens at {options.host}:{port}; Ctrl-C or SIGTERM ends it")
                    if keys.certificate is None and not is_loopback(options.host):
                        log(f"{_NAME}: warning: connections are not encrypted; see --tls-cert")
                    node.run()
                receiver.close()
        log(f"{_NAME}: stopped; in the queue: {len(inbox)}, to send: {ledger.count_outgoing()}")


class _Log:
    """Prints a line at a time, from any thread, unless it is quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        for name in ("pydicom", "pynetdicom"):  # they may quote what stands in an object
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False

    def __call__(self, line: str) -> None:
        if not self._quiet:
            with self._lock:
                say(line, sys.stderr)


def _nothing() -> None:
    """Do nothing."""


if __name__ == "__main__":
    sys.exit(main())
