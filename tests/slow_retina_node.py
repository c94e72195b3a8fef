"""`retina-node` with a slow segmenter that computes nothing, for tests that stop it midway.

With ``--fail-once`` the disk fails for the first result, as soon as there is a file "fail".
"""

import sys
import time
from pathlib import Path

from slow_retina_run import run_by, segment_slowly

from retinagan.runtime.node import cli, node


def fail_once() -> None:
    """Have the first result not get to the disk, and no pause before the node starts again."""

    def failing(path):
        while not Path("fail").exists():
            time.sleep(0.02)
        node.synced = real
        raise OSError(5, "of the test")

    real, node.synced = node.synced, failing
    cli._PAUSE = 0.0


if __name__ == "__main__":
    run_by(segment_slowly)
    if "--fail-once" in sys.argv:
        sys.argv.remove("--fail-once")
        fail_once()
    sys.exit(cli.main())
