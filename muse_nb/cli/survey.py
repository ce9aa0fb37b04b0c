"""``muse-nb survey``: what is in a folder; write or verify its manifest."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "examples: muse-nb survey night -o data_manifest.csv\n          muse-nb survey --verify data_manifest.csv night"
    )
    parser.add_argument("folder", nargs="?", metavar="DIR", help="folder with MUSE files")
    parser.add_argument("-o", "--output", metavar="CSV", help="manifest to write")
    parser.add_argument("--verify", metavar="CSV", help="hold this manifest against DIR (by default, its own folder)")
    parser.add_argument("--force", action="store_true", help="replace the manifest")
    parser.add_argument("--json", action="store_true", help="print the result for scripts")


def run(args: argparse.Namespace) -> int:
    """Survey or verify; exit status 1 where files differ from the manifest."""
    from tqdm import tqdm

    from muse_nb.products.errors import MuseError
    from muse_nb.steps.survey import survey, verify

    quiet = not sys.stderr.isatty()
    if args.verify:
        with tqdm(unit="B", unit_scale=True, disable=quiet) as bar:
            differences = verify(args.verify, args.folder, progress=bar.update)
        print(json.dumps({"differences": differences}) if args.json else "\n".join(differences) or "all as it was")
        return 1 if differences else 0
    if not args.folder:
        raise MuseError("say which folder to survey: muse-nb survey DIR")
    with tqdm(unit="file", disable=quiet) as bar:
        found = survey(args.folder, progress=lambda done, every: _step(bar, done, every))
    if args.output:
        with tqdm(unit="B", unit_scale=True, disable=quiet) as bar:
            found.write(args.output, force=args.force, progress=bar.update)
    print(json.dumps(_summary(found), indent=1) if args.json else _text(found))
    return 0


def _step(bar: Any, done: int, every: int) -> None:
    bar.total = every
    bar.update(done - bar.n)


def _summary(found: Any) -> dict[str, Any]:
    exposures = [
        {
            "date_obs": e.date_obs,
            "label": e.label,
            "pointing": e.pointing,
            "posang": e.posang,
            "exptime": e.exptime,
            "ins_mode": e.ins_mode,
            "ifus": e.ifus,
            "files": {f.category: len(e.files(f.category)) for f in e.facts},
        }
        for e in found.exposures
    ]
    files = [{"file": str(row["file"]), "category": str(row["category"])} for row in found.files]
    return {"folder": str(found.folder), "exposures": exposures, "files": files, "findings": found.findings}


def _text(found: Any) -> str:
    lines = [f"{found.folder}: {len(found.exposures)} exposures, {len(found.facts)} files"]
    for e in found.exposures:
        angle = "angle ?" if e.posang is None else f"angle {e.posang:g}"
        kinds = ", ".join(f"{len(e.files(c))} {c}" for c in dict.fromkeys(f.category for f in e.facts))
        lines.append(f"  {e.label}  pointing {e.pointing}  {angle}  {len(e.ifus)} IFUs  {kinds}")
    others: dict[str, int] = {}
    for fact in found.facts:
        if not fact.date_obs:
            others[fact.category] = others.get(fact.category, 0) + 1
    if others:
        lines.append("  besides: " + ", ".join(f"{number} {name}" for name, number in sorted(others.items())))
    return "\n".join(lines + [f"finding: {text}" for text in found.findings])
