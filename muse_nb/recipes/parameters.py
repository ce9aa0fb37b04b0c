"""A recipe's own list of parameters, and a request held against it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from muse_nb.recipes.errors import RecipeError

__all__ = ["Parameter", "check", "parse_params"]


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
    default : object
    choices : tuple or None
        The values it may take, where the recipe lists them.
    """

    name: str
    default: object
    choices: tuple[object, ...] | None = None


def check(recipe: str, request: Mapping[str, object], known: Mapping[str, Parameter]) -> dict[str, object]:
    """Hold a request against the recipe's parameters.

    Returns
    -------
    dict
        The request with lists joined by commas, as the recipes write them.

    Raises
    ------
    RecipeError
        A parameter that the recipe does not have, or a value that it does not take.
    """
    checked: dict[str, object] = {}
    for name, value in request.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(sorted(known))}"
            raise RecipeError(f"{recipe} has no parameter {name!r}: {hint}", recipe)
        parameter = known[name]
        if isinstance(value, (list, tuple)):
            value = ",".join(str(part) for part in value)
        wrong = f"{recipe}: {name}={value!r} is not a value it takes"
        if parameter.choices is not None and str(value) not in [str(choice) for choice in parameter.choices]:
            raise RecipeError(f"{wrong}: choose from {', '.join(map(str, parameter.choices))}", recipe)
        if isinstance(parameter.default, bool):
            if not isinstance(value, bool):
                raise RecipeError(f"{wrong}: it is True or False", recipe)
        elif isinstance(parameter.default, (int, float)):
            kind = type(parameter.default)
            try:
                value = kind(value)  # type: ignore[call-overload,arg-type]
            except (TypeError, ValueError):
                raise RecipeError(f"{wrong}: it is {'a whole' if kind is int else 'a'} number", recipe) from None
        checked[name] = value
    return checked


_PARAMETER = re.compile(r"^\s{2}(?P<name>[\w.-]+)\s*:\s?(?P<value>.*)$")


def parse_params(text: str) -> dict[str, Parameter]:
    """Read the parameters from what ``esorex --params RECIPE`` prints."""
    _, _, own = text.partition("Recipe Parameters")
    found = {}
    for line in own.splitlines():
        if match := _PARAMETER.match(line):
            found[match["name"]] = Parameter(match["name"], _guess(match["value"].strip()))
    return found


def _guess(text: str) -> object:
    if text in ("TRUE", "FALSE"):
        return text == "TRUE"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
