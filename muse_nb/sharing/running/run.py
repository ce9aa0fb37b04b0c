"""Run a notebook with parameters and keep what it showed, widgets' states included."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from muse_nb.core.errors import MuseError
from muse_nb.core.saved import HEADLESS
from muse_nb.core.work import scratch_folder
from muse_nb.sharing.running.kernel import execute, local_kernel, short_socket_folder
from muse_nb.sharing.running.opened import opened
from muse_nb.sharing.running.parameters import defaults, with_parameters

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Ran", "read_notebook", "run_notebook"]


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

    notebook: NotebookNode
    seconds: float
    error: str = ""
    inputs: tuple[Path, ...] = ()


def read_notebook(path: str | Path) -> NotebookNode:
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
    path: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    folder: str | Path | None = None,
    timeout: int = 1800,
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

    notebook = read_notebook(path)
    if parameters:
        notebook = with_parameters(notebook, {**defaults(notebook), **parameters})  # a page shows these in their place
    where = str(Path(folder or Path(path).parent).absolute())
    started, problem = time.monotonic(), ""
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    with scratch_folder(short_socket_folder()) as scratch:
        log = scratch / "opened"
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": where}},
            store_widget_state=True,
            km=local_kernel(scratch),
        )
        client.on_notebook_start = lambda notebook: client.kc.execute(
            f"from muse_nb.sharing.running.opened import watch; watch({str(log)!r}); del watch", silent=True
        )
        try:
            own = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", HEADLESS: "1"}
            execute(client, {**os.environ, **own})
        except CellExecutionError as error:
            problem = f"{error.ename}: {' '.join(str(error.evalue).split())}"
        except (CellTimeoutError, DeadKernelError) as error:
            problem = " ".join(str(error).split())
        if problem:
            client.set_widgets_metadata()  # what was shown until then
        inputs = tuple(opened(log))
    return Ran(notebook, time.monotonic() - started, problem, inputs)
