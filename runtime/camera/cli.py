"""`retina-watch`: the frames of a camera or a video, shown with their vessels.

Heavy imports (OpenCV, the engine) come after the arguments are parsed, so that ``--help`` and ``--version``
answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from retinagan.runtime import __version__
from retinagan.runtime.console.addresses import is_loopback
from retinagan.runtime.console.command import DONE, CommandParser, complain, run_command
from retinagan.runtime.console.wording import say
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model_arguments import add_model_arguments, open_segmenter

if TYPE_CHECKING:
    from retinagan.runtime.camera.sources import Source
    from retinagan.runtime.camera.watching import Screens
    from retinagan.runtime.stream.stream import Policy

_NAME = "retina-watch"
_NONE_SEGMENTED = 1
_RATE = 10.0  # pictures a second of a camera's video: about what a fast machine segments
_FILE_RATE = 25.0  # where a file declares none

_DESCRIPTION = "Show the frames of a camera or a video with their blood vessels."
_EPILOG = """\
examples:
  retina-watch 0                                   the first camera, in a window
  retina-watch /dev/video2 --serve 8080            http://127.0.0.1:8080/ in a browser
  retina-watch visit.mp4 --out vessels.mp4         every frame of a video
  retina-watch rtsp://camera.local/eye --out eye.avi --frames 300

A camera's newest frames are shown, and those that come too fast are dropped and
counted; of a file none is. A camera of the network that is lost is tried again
after 1 second, then after twice as long each time, up to 30. Ctrl-C or SIGTERM
ends: a video is completed, and the summary printed.

exit code: 0 the source ended, or was ended by a signal, by --frames or in the
window; 1 no frame could be segmented; 2 it could not start or continue; 70 a
defect of this program; 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP before
the first frame.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `retina-watch` with the given arguments, by default the process's; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(_NAME, lambda: _run(_parsed(given)))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = CommandParser(_NAME, _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        help="number of a camera, device such as /dev/video0, video file, or rtsp:// URL",
    )
    add("--window", action="store_true", help="show a window (default without --out and --serve)")
    add("--out", type=Path, metavar="FILE", help="video to write, .mp4 or .avi")
    add("--overwrite", action="store_true", help="replace the video if it exists")
    add("--serve", type=int, metavar="PORT", help="show a page in browsers, at this port; 0 for any free one")
    add(
        "--host",
        help="address of the page; 0.0.0.0 for all of this machine's (default: 127.0.0.1, reached from this "
        "machine alone)",
    )
    add(
        "--policy",
        choices=("every", "latest"),
        help="what happens to frames that come too fast: every waits, latest drops the oldest (default: "
        "latest for cameras, every for files)",
    )
    add("--frames", type=int, metavar="N", help="end after this many results")
    add_model_arguments(parser)
    add("--quiet", action="store_true", help="print only fatal errors")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(arguments)
    if options.frames is not None and options.frames < 1:
        parser.error(f"--frames: got {options.frames}; expected a whole number from 1")
    if options.serve is not None and not 0 <= options.serve <= 65535:
        parser.error(f"--serve: got {options.serve}; expected a port, 0 to 65535")
    for option, needed in (("overwrite", "out"), ("host", "serve")):
        if getattr(options, option) and getattr(options, needed) is None:
            parser.error(f"--{option} needs --{needed}")
    return options


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what fails is said by the exception's message
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its lines have the URL with its password
    from retinagan.runtime.camera.sources import Frames, Source
    from retinagan.runtime.camera.watching import Tally, summary, watch

    def tell(text: str) -> None:
        if not options.quiet:
            complain(_NAME, text)

    source = Source.parse(options.source)
    _check_screens(options)
    with ExitStack() as stack:
        frames = Frames(source, tell)
        stack.callback(frames.stop)
        policy: Policy = options.policy or ("latest" if source.live else "every")
        screens = _opened_screens(options, source, frames.rate, paced=policy == "latest")
        stack.callback(screens.close)
        segmenter = stack.enter_context(open_segmenter(_NAME, options, quiet=options.quiet, color="bgr"))
        segmenter.warmup()
        if screens.page is not None and not options.quiet:
            say(f"{_NAME}: {screens.page.url} (Ctrl-C stops)", sys.stdout)
        tally = Tally()
        stream = segmenter.stream(frames, policy=policy, queue=1 if source.live else 2)
        try:
            watch(stream, screens, tally, options.frames)
        finally:
            statistics = stream.statistics()
            for line in () if options.quiet else summary(statistics, tally, frames):
                say(line, sys.stdout)
    return DONE if statistics.segmented or not statistics.failed else _NONE_SEGMENTED


def _check_screens(options: argparse.Namespace) -> None:
    """Refuse a window that cannot be, and warn of a page that others can see."""
    from retinagan.runtime.camera.window import require_window

    options.host = options.host or "127.0.0.1"
    options.window = options.window or (options.out is None and options.serve is None)
    if options.window:
        require_window()
    if options.serve is not None and not is_loopback(options.host):
        complain(
            _NAME, f"warning: all who reach {options.host} can see the pictures; nothing asks for a password"
        )


def _opened_screens(options: argparse.Namespace, source: Source, rate: float, *, paced: bool) -> Screens:
    from retinagan.runtime.camera.page import Page
    from retinagan.runtime.camera.video import VideoFile
    from retinagan.runtime.camera.watching import Screens
    from retinagan.runtime.camera.window import Window

    video = page = None
    if options.out is not None:
        same = source.kind == "file" and options.out.exists() and options.out.samefile(source.address)
        if same:
            raise OptionError(f"--out {str(options.out)!r} is the source; choose another name")
        rate = _RATE if paced else rate or _FILE_RATE
        video = VideoFile(options.out, rate, paced=paced, overwrite=options.overwrite)
    if options.serve is not None:
        page = Page(options.host, options.serve)
    return Screens(Window() if options.window else None, video, page)


if __name__ == "__main__":
    sys.exit(main())
