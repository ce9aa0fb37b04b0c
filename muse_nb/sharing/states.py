"""Which of a notebook's saved widgets a page takes along."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from muse_nb.core.saved import REFERENCE, STATE, STILL, VIEW
from muse_nb.sharing.clean import safe_html
from muse_nb.sharing.coarser import Model, coarser

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Kept", "keep", "view_of"]

States = dict[str, Model]
"""A notebook's widgets by their ids."""


class Kept:
    """The widgets that stay alive.

    Attributes
    ----------
    models : dict
        Model id to model_name, state and buffers; ``_esm`` in a state is a key of `modules`.
    modules : dict
        ES modules, each once, however many widgets use it.
    dropped : set of str
        Views that do not fit into the page: their pictures stay.
    """

    def __init__(self, models: States, dropped: set[str]) -> None:
        self.modules: dict[str, str] = {}
        self.models = {key: self._without_module(entry) for key, entry in models.items()}
        self.dropped = dropped

    def _without_module(self, entry: Model) -> Model:
        name, state = entry.get("model_name", ""), dict(entry.get("state", {}))
        if name in ("HTMLModel", "HTMLMathModel"):
            state["value"] = safe_html(str(state.get("value", "")))
        if name == "OutputModel":
            state["outputs"] = [_safe_output(output) for output in state.get("outputs", [])]
        if "_esm" in state:
            known = {text: number for number, text in self.modules.items()}
            number = known.get(state["_esm"], str(len(self.modules)))
            self.modules[number] = state["_esm"]
            state["_esm"] = number
        return {"model_name": name, "state": state, "buffers": entry.get("buffers", [])}


def keep(notebook: NotebookNode, room: float) -> Kept:
    """Choose the widgets that a notebook shows, within `room` [byte].

    Where not all fit, detector frames are made coarser; where that is not enough, the small widgets come first.
    """
    states: States = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    views = [view for view in _views(notebook) if view in states]
    chosen, dropped = _fill(views, states, room)
    while dropped and room > 0:
        smaller = {key: coarser(entry) for key, entry in states.items()}
        if all(smaller[key] is entry for key, entry in states.items()):
            break
        states = smaller
        chosen, dropped = _fill(views, states, room)
    chosen |= {key for key, entry in states.items() if _links(entry, chosen)}
    return Kept({key: entry for key, entry in states.items() if key in chosen}, dropped)


def _fill(views: list[str], states: States, room: float) -> tuple[set[str], set[str]]:
    """The widgets that fit with all that they refer to, the small ones first; and the views that do not."""
    families = {view: _family(view, states) for view in views}
    size = {key: len(json.dumps(entry, default=str)) for key, entry in states.items()}
    chosen: set[str] = set()
    dropped: set[str] = set()
    for view, family in sorted(families.items(), key=lambda item: sum(size[key] for key in item[1])):
        cost = sum(size[key] for key in family - chosen)
        if cost <= room:
            room -= cost
            chosen |= family
        else:
            dropped.add(view)
    return chosen, dropped


def view_of(data: Mapping[str, Any]) -> str | None:
    """Id of the widget that an output shows, None where it shows none."""
    found = [data[kind] for kind in (VIEW, STILL) if kind in data]
    return str(found[0].get("model_id", "")) if found else None


def _safe_output(output: dict[str, Any]) -> dict[str, Any]:
    data = dict(output.get("data", {}))
    if "text/html" in data:
        data["text/html"] = safe_html("".join(data["text/html"]))
    return {**output, "data": data}


def _views(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if (model := view_of(output.get("data", {}))) is not None:
                yield model


def _family(view: str, states: States) -> set[str]:
    """A widget and all that it refers to."""
    found: set[str] = set()
    waiting = [view]
    while waiting:
        key = waiting.pop()
        if key not in found and key in states:
            found.add(key)
            waiting += _references(states[key].get("state", {}))
    return found


def _references(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(REFERENCE):
        yield value.removeprefix(REFERENCE)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _links(entry: Model, chosen: set[str]) -> bool:
    """Whether it links traits of widgets that are there."""
    if entry.get("model_name") not in ("LinkModel", "DirectionalLinkModel"):
        return False
    return set(_references(entry.get("state", {}))) <= chosen
