"""A kernel that talks over sockets in a private folder: no port for others on the machine to find, or to take first."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.waiting import result

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

__all__ = ["execute", "local_kernel", "short_socket_folder"]

_LONGEST_SOCKET = 100  # characters in the path of a Unix socket


def short_socket_folder(longest: int = _LONGEST_SOCKET // 2) -> Path | None:
    """Where sockets can lie, whose paths are short, if the path of the system's folder is longer than that.

    A port instead of a socket may be taken by another process before the kernel has it.
    """
    return Path("/tmp") if len(tempfile.gettempdir()) > longest and os.name == "posix" else None


def local_kernel(scratch: Path) -> AsyncKernelManager:
    """Kernel whose sockets lie in a folder of our own, where the system has such and the folder's path is short."""
    from jupyter_client.manager import AsyncKernelManager

    connection = scratch / "kernel.json"
    local = os.name == "posix" and len(str(connection)) < _LONGEST_SOCKET
    options = {"transport": "ipc"} if local else {}
    return AsyncKernelManager(kernel_name="python3", connection_file=str(connection), **options)


def execute(client: NotebookClient, env: Mapping[str, str]) -> None:
    """Run all cells, in a thread of its own, where nbclient leaves Ctrl-C to us: it would take it for a cell's error.

    Raises
    ------
    nbclient.exceptions.CellExecutionError, CellTimeoutError, DeadKernelError
        A cell failed, or the kernel did.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.async_execute(cleanup_kc=True, env=dict(env)))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_to_its_end, loop, task, client.km)
        try:
            result(running)
        except KeyboardInterrupt:
            client.shutdown_kernel = "immediate"
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
            raise


def _to_its_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[object], kernel: AsyncKernelManager) -> None:
    try:
        loop.run_until_complete(task)
    finally:
        if kernel.has_kernel:  # interrupted while it started
            loop.run_until_complete(kernel.shutdown_kernel(now=True))
        if left := asyncio.all_tasks(loop):
            for other in left:
                other.cancel()
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
