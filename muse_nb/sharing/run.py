"""Run a notebook with parameters and keep what it showed, widgets' states included."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from muse_nb.core.errors import MuseError
from muse_nb.core.waiting import result
from muse_nb.core.work import scratch_folder
from muse_nb.sharing.opened import opened

__all__ = ["Ran", "near", "read_notebook", "run_notebook"]

_LONGEST_SOCKET = 100  # characters in the path of a Unix socket


@dataclass(frozen=True)
class Ran:
    """A notebook after its run.

    Attributes
    ----------
    notebook : nbformat.NotebookNode
        With outputs.
    seconds : float
        Wall time [s].
    error : str
        Why it stopped, in a sentence; empty where it ran to its end.
    inputs : tuple of pathlib.Path
        Data files that it read.
    """

    notebook: Any
    seconds: float
    error: str = ""
    inputs: tuple[Path, ...] = ()


def read_notebook(path: str | Path) -> Any:
    """Read a notebook.

    Raises
    ------
    MuseError
        It is not there, or no notebook.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.read(path, as_version=4)
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:
        raise MuseError(f"{path} is not a notebook ({type(error).__name__}): open and save it in JupyterLab") from error
    return notebook


def run_notebook(
    path: str | Path, parameters: dict[str, Any] | None = None, *, folder: str | Path | None = None, timeout: int = 1800
) -> Ran:
    """Run a notebook in a kernel of its own.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    parameters
        Values for its cell tagged ``parameters``.
    folder
        Working folder of the kernel; by default the notebook's.
    timeout
        Seconds that a cell may take.

    Returns
    -------
    Ran
        Also after an error in a cell: it holds what was shown until then. Ctrl-C ends the kernel and is raised.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.parameterize import parameterize_notebook

    notebook = read_notebook(path)
    if parameters:
        notebook.metadata.setdefault("papermill", {})  # papermill takes these two for granted
        for cell in notebook.cells:
            cell.metadata.setdefault("tags", [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = parameterize_notebook(notebook, parameters, kernel_name="python3", language="python")
    where = str(Path(folder or Path(path).parent).absolute())
    started, problem = time.monotonic(), ""
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    with scratch_folder(near()) as scratch:
        log = scratch / "opened"
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": where}},
            store_widget_state=True,
            km=_kernel(scratch),
        )
        client.on_notebook_start = lambda notebook: client.kc.execute(
            f"from muse_nb.sharing.opened import watch; watch({str(log)!r}); del watch", silent=True
        )
        try:
            own = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "MUSE_NB_HEADLESS": "1"}
            _execute(client, cleanup_kc=True, env={**os.environ, **own})
        except CellExecutionError as error:
            problem = f"{error.ename}: {' '.join(str(error.evalue).split())}"
        except (CellTimeoutError, DeadKernelError) as error:
            problem = " ".join(str(error).split())
        if problem:
            client.set_widgets_metadata()  # what was shown until then
        inputs = tuple(opened(log))
    return Ran(notebook, time.monotonic() - started, problem, inputs)


def _execute(client: Any, **options: Any) -> None:
    """Run in a thread of its own, where nbclient leaves Ctrl-C to us: it would take it for an error of the notebook."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.async_execute(**options))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_to_its_end, loop, task, client.km)
        try:
            result(running)
        except KeyboardInterrupt:
            client.shutdown_kernel = "immediate"
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
            raise


def _to_its_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], kernel: Any) -> None:
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


def near(longest: int = _LONGEST_SOCKET // 2) -> Path | None:
    """Where sockets can lie, whose paths are short, if the path of the system's folder is longer than that.

    A port instead of a socket may be taken by another process before the kernel has it.
    """
    return Path("/tmp") if len(tempfile.gettempdir()) > longest and os.name == "posix" else None


def _kernel(scratch: Path) -> Any:
    """A kernel that talks over sockets in a folder of our own: no port for others on the machine to find."""
    from jupyter_client.manager import AsyncKernelManager

    connection = scratch / "kernel.json"
    local = os.name == "posix" and len(str(connection)) < _LONGEST_SOCKET
    options = {"transport": "ipc"} if local else {}
    return AsyncKernelManager(kernel_name="python3", connection_file=str(connection), **options)
