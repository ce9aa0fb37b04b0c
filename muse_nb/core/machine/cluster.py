"""A dask cluster: that of a scheduler's address, or one of processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muse_nb.core.errors import MuseError

__all__ = ["cluster_client"]


@contextmanager
def cluster_client(scheduler: str | None, workers: int) -> Iterator[Any]:
    """Connect to a scheduler, or start a cluster here; end it with the context.

    Parameters
    ----------
    scheduler
        Its address; None: processes on this machine.
    workers
        How many of them, where there is no scheduler.

    Yields
    ------
    distributed.Client

    Raises
    ------
    MuseError
        dask.distributed is not installed, no scheduler answers, or it has no workers.
    """
    try:
        from dask import config
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MuseError(
            "dask.distributed is not installed: run `pip install 'muse_nb[cluster]'`, or go without --scheduler"
            " and --workers"
        ) from error
    config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})  # a task brings its part of the index
    if scheduler is None:
        with (
            LocalCluster(workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as local,
            Client(local) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise MuseError(f"no dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise MuseError(f"the scheduler at {scheduler} has no workers: start some with `dask worker {scheduler}`")
        yield client
