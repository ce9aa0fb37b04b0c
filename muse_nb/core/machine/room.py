"""What room there is for work: disk and memory."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["free_disk", "free_memory"]


def free_disk(output: Path) -> float:
    """Room where a file goes [byte]; its folder need not be there yet."""
    there = next(path for path in (output.absolute(), *output.absolute().parents) if path.is_dir())
    return float(shutil.disk_usage(there).free)


def free_memory() -> float:
    """Memory that is available, no more than a container's limit [byte]."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        text = limit.read_text().strip()
        used = float(Path("/sys/fs/cgroup/memory.current").read_text())
        return min(free, float(text) - used) if text != "max" else free
    except (OSError, ValueError):
        return free
