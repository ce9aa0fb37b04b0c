"""The commands' reference: what their parsers know, a page a command."""

from __future__ import annotations

import argparse
from pathlib import Path

from muse_nb.cli import COMMANDS, load

__all__ = ["names", "write"]

HEADINGS = {"night": "A night", "exposures": "Exposures", "cubes": "Cubes", "project": "Pages and notebooks"}
STATUS = """\
Exit status: 0 done, 1 the data are at fault (one sentence on stderr says file, reason and remedy), 2 wrong usage,
130 interrupted. Progress is shown on stderr where that is a terminal. Outputs appear whole or not at all, and none is
replaced without `--force`.
"""


def names() -> list[str]:
    """Every command."""
    return [name for commands in COMMANDS.values() for name in commands]


def write(folder: Path) -> None:
    """Write a page for every command, and the list of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):  # also of commands that are no more
        path.unlink()
    index = [f"# Commands\n\n{STATUS}\n"]
    for kind, commands in COMMANDS.items():
        index.append(f"## {HEADINGS.get(kind, kind)}\n\n| command | |\n|---|---|\n")
        index += [f"| [`muse-nb {name}`]({name}.md) | {text} |\n" for name, text in commands.items()]
        index.append("\n```{toctree}\n:hidden:\n\n" + "".join(f"{name}\n" for name in commands) + "```\n\n")
        for name, text in commands.items():
            (folder / f"{name}.md").write_text(_page(name, text))
    (folder / "index.md").write_text("".join(index))


def _page(name: str, text: str) -> str:
    parser = argparse.ArgumentParser(prog=f"muse-nb {name}", formatter_class=_Wide)
    load(name).add_arguments(parser)
    usage = parser.format_usage().removeprefix("usage: ").strip()
    lines = [f"# muse-nb {name}\n\n{text[0].upper()}{text[1:]}.\n\n{_code(usage)}\n"]
    for group in parser._action_groups:
        told = "".join(_entry(action) for action in group._group_actions if action.help != argparse.SUPPRESS)
        if told:
            heading = {"positional arguments": "Arguments", "options": "Options"}.get(group.title or "", group.title)
            lines.append(f"## {heading}\n\n{group.description or ''}\n\n{told}")
    if parser.epilog:
        examples, *notes = parser.epilog.split("\n\n")
        lines += [f"## Examples\n\n{_examples(examples)}", *(f"{_escaped(note)}\n" for note in notes)]
    return "\n".join(lines)


class _Wide(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=78)


def _entry(action: argparse.Action) -> str:
    """One argument as a term and what is said of it."""
    value = "" if action.nargs == 0 else argparse.HelpFormatter("")._format_args(action, _metavar(action))
    words = [f"{flag} {value}".strip() for flag in action.option_strings] or [value]
    told = (action.help or "").replace("%%", "%")
    if "%(" in told:
        told = (action.help or "") % {**vars(action), "prog": "muse-nb"}
    if action.required and action.option_strings:
        told = f"{told} (required)".strip()
    term = ", ".join(f"`{word}`" for word in words)
    return f"{term}\n: {_escaped(told[:1].upper() + told[1:])}\n\n"


def _metavar(action: argparse.Action) -> str:
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _escaped(text: str) -> str:
    """Text in which nothing is Markdown's."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>{}#" else sign for sign in text)


def _examples(epilog: str) -> str:
    """What stands below a command's help: its examples, a line each."""
    lines = [line.strip() for line in epilog.removeprefix("examples:").removeprefix("example:").strip().splitlines()]
    return _code("\n".join(lines))


def _code(text: str) -> str:
    return f"```text\n{text}\n```\n"
