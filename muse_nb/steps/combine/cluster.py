"""The stream engine's slabs as tasks on dask.distributed, on one machine or many that share a disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from time import monotonic
from typing import Any

from muse_nb.core.errors import MuseError
from muse_nb.core.machine.cluster import cluster_client
from muse_nb.resample.cube_writer import CubeWriter
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.slab_task import SlabTask, cut
from muse_nb.resample.unfinished import Interrupted
from muse_nb.steps.combine.job import Cluster, Job

__all__ = ["make_slabs", "slabs_of"]

_MIN_PLANES = 8  # of a slab: it loads four more, those beside it
_SLABS_PER_WORKER = 4  # so that the last ones to finish do not keep the others waiting
_QUEUED_PER_WORKER = 2  # slabs that are sent before they are wanted
NO_WORKER_TIMEOUT = 60.0  # s
_NOTES_TIMEOUT = 5.0  # s, of fetching what a worker says of a finished slab
_ATTEMPTS = 3  # to make a slab whose bytes do not arrive on the disk


def make_slabs(
    cluster: Cluster, job: Job, inputs: Inputs, grid: CubeGrid, writer: CubeWriter, gaps: list[range]
) -> set[int]:
    """Have the planes in `gaps` made by workers, each of which reads its rows and writes its planes.

    A lost worker's slabs are made again by another. Each slab is read back and held against its checksums before it
    is put down as done, so that a rerun after an interruption makes the others only.

    Returns
    -------
    set of int
        First planes of the slabs.

    Raises
    ------
    MuseError
        There is no such scheduler, no worker is left, or a worker cannot read or write the files.
    """
    with cluster_client(cluster.scheduler, cluster.workers) as client:
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        settings = replace(job.resampling, threads=1)
        slabs = slabs_of(gaps, workers)
        tasks = cut(inputs, grid, settings, writer.file.part, writer.start, slabs)
        done = grid.shape[0] - sum(map(len, gaps))
        for notes in _results(client, tasks, _QUEUED_PER_WORKER * workers, writer, job):
            done += notes
            job.report(done, grid.shape[0])
    return {slab.start for slab in slabs}


def slabs_of(gaps: list[range], workers: int) -> list[range]:
    """Cut runs of planes into slabs for a number of workers."""
    planes = sum(map(len, gaps))
    size = max(_MIN_PLANES, math.ceil(planes / (_SLABS_PER_WORKER * workers)))
    return [range(start, min(start + size, gap.stop)) for gap in gaps for start in range(gap.start, gap.stop, size)]


def _results(client: Any, tasks: Iterator[SlabTask], ahead: int, writer: CubeWriter, job: Job) -> Iterator[int]:
    """Send tasks as others end, and give the number of planes of each slab that is on the disk."""
    running: dict[Any, tuple[SlabTask, int]] = {}

    def send(task: SlabTask, attempt: int) -> None:
        running[client.submit(SlabTask.run, task, pure=False)] = (task, attempt)

    for task in islice(tasks, ahead):
        send(task, 1)
    while running:
        for future in _finished(client, list(running), job):
            task, attempt = running[future]
            notes = _notes(future, task)
            if notes is None:
                continue
            del running[future]
            if all(writer.collect(note) for note in notes):
                yield len(notes)
                for following in islice(tasks, 1):
                    send(following, 1)
            elif attempt < _ATTEMPTS:
                send(task, attempt + 1)
            else:
                raise MuseError(
                    f"planes {task.first} to {task.last - 1} of {job.output} do not arrive on its disk: does every"
                    " worker see the same one?"
                )


def _finished(client: Any, futures: list[Any], job: Job) -> set[Any]:
    """Wait for slabs, and give up where the user cancels or nobody is left to make them."""
    from distributed import wait
    from distributed.client import FuturesCancelledError

    deadline = monotonic() + NO_WORKER_TIMEOUT
    while True:
        job.stop_if_cancelled()
        try:
            done: set[Any] = wait(futures, timeout=0.5, return_when="FIRST_COMPLETED").done
            return done
        except TimeoutError:
            if client.scheduler_info(n_workers=-1)["workers"]:
                deadline = monotonic() + NO_WORKER_TIMEOUT
            elif monotonic() > deadline:
                raise Interrupted(
                    "all workers are gone: start some, and run it again; slabs that are done are kept"
                ) from None
        except FuturesCancelledError as error:
            raise Interrupted(
                "the scheduler is gone: start one, and run it again; slabs that are done are kept"
            ) from error


def _notes(future: Any, task: SlabTask) -> list[dict[str, object]] | None:
    """Fetch what a worker returned; None where the worker was lost before it could, and its slab is made again."""
    from distributed.scheduler import KilledWorker

    try:
        notes: list[dict[str, object]] = future.result(timeout=_NOTES_TIMEOUT)
        return notes
    except TimeoutError:
        return None
    except KilledWorker as error:
        raise Interrupted(
            f"planes {task.first} to {task.last - 1} have ended several workers: give them more memory, or less to the"
            " combine with --memory; slabs that are done are kept"
        ) from error
