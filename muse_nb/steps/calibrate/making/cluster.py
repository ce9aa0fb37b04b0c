"""The same jobs on dask workers that see the same disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.machine.cluster import cluster_client
from muse_nb.core.work import work_folder
from muse_nb.steps.calibrate.making.execute import StopFile, execute
from muse_nb.steps.calibrate.making.schedule import Team

__all__ = ["cluster_team"]


@contextmanager
def cluster_team(scheduler: str | None, workers: int, folder: Path) -> Iterator[Team]:
    """Have a cluster's workers do jobs, one for each of their threads; each says how much memory it has itself.

    A file in `folder` lives as long as they are wanted: where it goes, with this process too when that is stopped, the
    recipes on other machines are stopped.

    Parameters
    ----------
    scheduler, workers
        As of `muse_nb.core.machine.cluster.cluster_client`.
    folder
        The one with the products.

    Raises
    ------
    MuseError
        There is no such cluster.
    """
    with work_folder(folder) as work, cluster_client(scheduler, workers) as client:
        from distributed.client import FuturesCancelledError
        from distributed.scheduler import KilledWorker

        wanted = work / "wanted"
        wanted.touch()
        threads = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        _same_disk(client, wanted)
        pool = client.get_executor(pure=False)
        try:
            yield Team(
                pool,
                partial(execute, cancel=StopFile(str(wanted))),
                max(1, threads),
                math.inf,
                (KilledWorker, FuturesCancelledError),
            )
        finally:
            wanted.unlink(missing_ok=True)
            pool.shutdown(wait=False)


def _same_disk(client: object, wanted: Path) -> None:
    seen = client.run(_sees, str(wanted))  # type: ignore[attr-defined]
    if blind := [name for name, sees in seen.items() if not sees]:
        raise MuseError(f"the worker at {blind[0]} does not see {wanted.parent.parent}: give all workers the same disk")


def _sees(path: str) -> bool:
    return Path(path).exists()
