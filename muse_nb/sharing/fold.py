"""How a page was made, to be unfolded at its end."""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["fold"]


def fold(about: dict[str, Any]) -> str:
    """HTML of a page's provenance: parameters, recipes, inputs, versions, time."""
    facts = {
        "notebook": about.get("notebook", ""),
        "made": about.get("made", ""),
        "running time": f"{about.get('seconds', 0):.1f} s",
        "parameters": _pairs(about.get("parameters", {})),
        "machine": _pairs(about.get("machine", {})),
        "versions": _pairs(about.get("versions", {})),
        "picks": f"{max(len(_rows(about.get('picks', ''))) - 1, 0)} rows" if about.get("picks") else "",
        "offsets": f"of {len(about['offsets'])} exposures" if about.get("offsets") else "",
    }
    lines = "".join(f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items() if v)
    parts = [f"<div class='scroll'><table class='facts'>{lines}</table></div>"]
    for recipe in about.get("recipes", []):
        parts.append(_recipe(recipe))
    parts.append(_inputs(about.get("inputs", [])))
    note = f"<p class='note'>{escape(str(about['note']))}</p>" if about.get("note") else ""
    return (
        f"<details class='about'><summary>How this page was made</summary>{note}{''.join(parts)}<p>All of it is inside"
        " this file: <code>muse-nb share --extract FILE -o DIR</code> takes picks, offsets and parameters out.</p>"
        "</details>"
    )


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _recipe(recipe: dict[str, Any]) -> str:
    made = len(recipe.get("products", []))
    head = f"{recipe.get('recipe', '')} ({recipe.get('pipeline', '')}) made {made} of the inputs"
    return (
        f"<details><summary>{escape(head)}</summary><p>{escape(_pairs(recipe.get('parameters', {})))}</p>"
        f"<p>from {escape(', '.join(recipe.get('inputs', [])))}</p></details>"
    )


def _inputs(inputs: list[dict[str, Any]]) -> str:
    if not inputs:
        return ""
    body = "".join(
        f"<tr><td>{escape(str(one['file']))}</td><td>{one['size'] / 1e6:.2f}</td>"
        f"<td class='text'><code>{escape(str(one['sha256'])[:16])}</code></td></tr>"
        for one in inputs
    )
    head = "<tr><th>file</th><th>size [MB]</th><th class='text'>sha256</th></tr>"
    return (
        f"<details><summary>{len(inputs)} input files</summary><div class='scroll'><table><thead>{head}</thead>"
        f"<tbody>{body}</tbody></table></div></details>"
    )
