"""Become another program that dies with its parent: ``python -I -S launch.py PARENT PROGRAM ARGUMENT...``.

Run as a file with nothing but the standard library, because it starts before every recipe (10 ms). The kernel keeps
the request across the change of program, so a ``kill -9`` of the notebook kills the recipe as well. Setting it here,
and not between fork and exec in the parent, keeps the parent's threads and its gigabytes out of it.
"""

import os
import resource
import signal
import sys


def main() -> None:
    """Ask for the parent's death signal, switch core dumps off, change into the program."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
