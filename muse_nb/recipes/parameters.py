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
    limits : tuple or None
        The smallest and largest value, where the recipe says them.
    """

    name: str
    default: object
    choices: tuple[object, ...] | None = None
    limits: tuple[float, float] | None = None


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
            number = _number(value, type(parameter.default))
            if number is None:
                raise RecipeError(
                    f"{wrong}: it is a {'whole ' if isinstance(parameter.default, int) else ''}number", recipe
                )
            if parameter.limits and not parameter.limits[0] <= number <= parameter.limits[1]:
                low, high = parameter.limits
                raise RecipeError(f"{wrong}: it is between {low} and {high}", recipe)
            value = number
        checked[name] = value
    return checked


def _number(value: object, kind: type[int] | type[float]) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if kind is float:
        return number
    return int(number) if number.is_integer() else None


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
