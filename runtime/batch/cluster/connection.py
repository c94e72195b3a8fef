"""A Ray cluster: connected to, what it has, and how many workers it holds."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from retinagan.runtime.batch.cluster.attempts import Attempts
from retinagan.runtime.console.signals import STOPPING
from retinagan.runtime.errors import RetinaGanError

_CONNECTED = (ConnectionError, RuntimeError, ValueError, OSError)
"""What `ray.init` raises where there is no cluster, or one with another version of Ray or Python."""


class ClusterError(RetinaGanError):
    """The cluster cannot be used: it is not there, is too small, or its workers cannot go on."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to a cluster, and leave it at the end.

    Parameters
    ----------
    address : str
        ``"auto"``, which is the cluster of this machine, or ``HOST:PORT``.

    Raises
    ------
    ClusterError
        If there is no cluster, or one that this process cannot join.
    """
    if "://" in address:
        raise ClusterError(
            f"argument --cluster: got {address!r}; expected auto or HOST:PORT, on a machine of the cluster"
        )
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its core writes to stderr, past Python
    os.environ.setdefault("RAY_DATA_USAGE_DISABLED", "1")  # it would count, in a process of its own
    handlers = _handlers()
    try:
        with _stderr_closed():  # on which the core says that it has read that
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, configure_logging=True)
    except _CONNECTED as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise ClusterError(
            f"no Ray cluster at {address!r} ({reason}); start one by  ray start --head  and try again"
        ) from None
    finally:
        _restore(handlers)  # Ray replaces that of SIGTERM
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        with redirect_stdout(sys.stderr):  # Ray prints what happens to its nodes, and stdout is for rows
            yield
    finally:
        handlers = _handlers()
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.shutdown()
        _restore(handlers)


def workers_that_fit(cpus: int, gpus: float) -> tuple[int, int]:
    """Return how many workers fit on the nodes, and on how many nodes.

    Raises
    ------
    ClusterError
        If none does.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fitting = [_fitting(node, cpus, gpus) for node in nodes]
    if not any(fitting):
        largest = ", ".join(
            f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes[:3]
        )
        more = ", ..." if len(nodes) > 3 else ""
        raise ClusterError(
            f"no node has room for a worker of {cpus} CPUs and {gpus:g} GPUs: they have {largest}{more}; "
            "choose by --threads and --worker-gpus"
        )
    return sum(fitting), sum(map(bool, fitting))


def attempts_actor() -> Any:
    """Start an `Attempts` on this node; return its handle."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Attempts).options(num_cpus=0, scheduling_strategy=here).remote()


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Send to nowhere what libraries write to stderr; errors of Python are raised all the same."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def _fitting(node: dict[str, float], cpus: int, gpus: float) -> int:
    by_cpus = int(node.get("CPU", 0) // cpus)
    return min(by_cpus, int(node.get("GPU", 0) / gpus + 1e-9)) if gpus else by_cpus


def _handlers() -> dict[int, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in STOPPING}


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None:
            signal.signal(number, handler)
