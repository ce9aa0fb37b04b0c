"""What is to be done: recipes with their inputs and calibrations, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Plan", "Task"]


@dataclass(frozen=True)
class Task:
    """One run of a recipe.

    Attributes
    ----------
    recipe : str
        As in ``muse_bias``.
    id : str
        Its name in the plan, unique.
    mode : str
        INS MODE of its inputs.
    night : str
        Date of the evening, as in ``2017-06-15``.
    inputs : tuple of str
        Raw files, or ids of the tasks whose products it works on.
    calibrations : Mapping of str to str
        By tag, as in ``MASTER_BIAS``: the id of the task that makes it, or a file.
    products : tuple of str
        Tags of what it makes.
    """

    recipe: str
    id: str
    mode: str
    night: str
    inputs: tuple[str, ...]
    calibrations: Mapping[str, str]
    products: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All runs, each after those whose products it takes.

    Attributes
    ----------
    tasks : tuple of Task
    notes : tuple of str
        What is missing or doubtful, a sentence each.
    """

    tasks: tuple[Task, ...]
    notes: tuple[str, ...]
