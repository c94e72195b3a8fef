"""What `retina-run --cluster` opens: the cluster, the output folder, its report; the model on the nodes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray.exceptions import RayError, RayTaskError

from retinagan.runtime.batch.cluster.cluster_batch import ClusterBatch
from retinagan.runtime.batch.cluster.connection import ClusterError, connected, workers_that_fit
from retinagan.runtime.batch.cluster.worker import WorkerOptions
from retinagan.runtime.batch.opening import Workplace, check_options, measures_of, measures_wanted, page_of
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.console.command import complain
from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.storage.address import absolute, local_path


@contextmanager
def opened_on_cluster(options: argparse.Namespace, name: str) -> Iterator[Workplace]:
    """Open what `retinagan.runtime.batch.opening.opened` does, with a cluster in the segmenter's place.

    Raises
    ------
    ClusterError
        If the cluster cannot be used.
    RetinaGanError
        As of `opened`.
    """
    check_options(options)
    with connected(options.cluster):
        gpus = options.worker_gpus or 0.0
        how = _worker_options(options)
        fitting, nodes = workers_that_fit(how.threads, gpus)
        workers = fitting if options.workers is None else min(options.workers, fitting)
        settings = settings_on_nodes(how, gpus)
        if not options.quiet:
            each = f"{counted(how.threads, 'CPU')}{f' and {gpus:g} of a GPU' if gpus else ''} each"
            complain(name, f"{counted(workers, 'worker')} with {each}, on {counted(nodes, 'node')}")
        with OutputFolder(
            options.out, overwrite=options.overwrite, overlay_format=options.overlay_format
        ) as folder:
            with (
                Report(folder, settings, fresh=options.overwrite) as report,
                measures_of(folder, options) as measures,
                page_of(folder, report, options) as page,
            ):
                batch = ClusterBatch(how, folder, settings, workers, gpus, page, measures)
                yield Workplace(batch, folder, report)
            batch.remove_parts()


def settings_on_nodes(options: WorkerOptions, gpus: float) -> Settings:
    """Open the model on a node, and return what all rows will have in common.

    Raises
    ------
    ClusterError
        If the model cannot be opened there.
    """
    probe = ray.remote(_settings).options(num_cpus=options.threads, num_gpus=gpus, max_retries=1)
    try:
        found: Settings | str = ray.get(probe.remote(options))
    except RayError as error:
        if isinstance(error, RayTaskError) and not isinstance(error.cause, ImportError):
            raise
        reason = " ".join(str(error).split())[-300:]
        raise ClusterError(
            f"no worker can start ({reason}); install the same version of retinagan on all nodes"
        ) from None
    if isinstance(found, str):
        raise ClusterError(found)
    return found


def _settings(options: WorkerOptions) -> Settings | str:
    try:
        return options.settings()
    except RetinaGanError as error:
        return f"on node {ray.util.get_node_ip_address()}: {error}"


def _worker_options(options: argparse.Namespace) -> WorkerOptions:
    model = options.model
    return WorkerOptions(
        out=absolute(local_path(options.out)),
        kinds=options.kinds,
        overlay_format=options.overlay_format,
        overlay_colour=options.overlay_colour,
        measures=measures_wanted(options),
        overwrite=options.overwrite,
        model=absolute(model) if model is not None and os.path.exists(model) else model,  # noqa: PTH110
        device=options.device,
        engine=options.engine,
        field_of_view=options.field_of_view,
        pixels_per_degree=options.pixels_per_degree,
        threshold=options.threshold,
        overlap=options.overlap,
        threads=options.threads or 1,
    )
