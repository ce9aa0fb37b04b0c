"""``muse-nb offsets``: measure star offsets and write an OFFSET_LIST."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muse_nb.cli.common import add_force, add_json, print_error, print_json, warnings_as_lines

if TYPE_CHECKING:
    from muse_nb.steps.offsets.crosscheck import CrossCheck
    from muse_nb.steps.offsets.result import Offsets

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("images", nargs="+", metavar="IMAGE_FOV", help="images of the exposures, one each")
    parser.add_argument(
        "-o", "--output", metavar="OFFSET_LIST", help="FITS file to write, as muse_exp_combine takes it"
    )
    parser.add_argument("--picks", metavar="ECSV", help="use only these stars (picks.ecsv)")
    parser.add_argument(
        "--reference", metavar="DATE-OBS", help='exposure with offset 0, or "mean" (default: the first)'
    )
    parser.add_argument("--catalogue", metavar="FILE", help="put the exposures on the positions of this catalogue")
    parser.add_argument(
        "--radius", type=float, default=6.0, metavar="ARCSEC", help="largest offset looked for (%(default)s)"
    )
    parser.add_argument("--flux-scale", action="store_true", help="also write factors that equalize the fluxes")
    parser.add_argument("--cross-check", action="store_true", help="compare with cross-correlation and muse_exp_align")
    parser.add_argument(
        "--check",
        metavar="OFFSET_LIST",
        help="say what is wrong with a list made elsewhere (exit status 1 if anything is)",
    )
    add_json(parser)
    add_force(parser, "replace the output if it is there")
    parser.epilog = "example: muse-nb offsets reduced/*/IMAGE_FOV_0001.fits -o OFFSET_LIST.fits"


def run(args: argparse.Namespace) -> int:
    """Measure, write, print."""
    from muse_nb.core.errors import MuseError
    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.offsets.measure import measure_offsets
    from muse_nb.steps.offsets.measurement import Measurement

    if not args.radius > 0:
        raise MuseError("--radius must be a positive number of arcsec")
    with on_terminal() as progress:
        measurement = Measurement(args.images, args.radius, progress)
        offsets = measure_offsets(measurement, picks=args.picks, reference=args.reference, catalogue=args.catalogue)
        with warnings_as_lines("offsets"):
            if args.output:
                offsets.write(args.output, force=args.force, flux_scale=args.flux_scale)
            else:
                offsets.offset_list()  # all refused: one sentence and status 1
        check = None
        if args.cross_check:
            from muse_nb.steps.offsets.crosscheck import cross_check

            check = cross_check(measurement, offsets)
    if args.json:
        print_json(_rows(offsets, check), allow_nan=False)
    else:
        print("\n".join([*map(_line, offsets.rows()), _wobble(offsets)]))
        if check is not None:
            print("\n".join(check.lines()))
    return _wrong_with(args.check, offsets) if args.check else 0


def _rows(offsets: Offsets, check: CrossCheck | None) -> list[dict[str, Any]]:
    """An exposure each, with the stars that were left out and, where it was made, the cross-check."""
    from muse_nb.steps.offsets.left_out import by_reason

    left_out = offsets.left_out()
    rows = [row | {"stars_left_out": by_reason(left_out, row["date_obs"])} for row in offsets.rows()]
    if check is not None:
        rows = [row | {"cross_check": more} for row, more in zip(rows, check.rows(), strict=True)]
    return rows


def _wrong_with(path: str, offsets: Offsets) -> int:
    """Print what is wrong with a list made elsewhere; the exit status."""
    from muse_nb.steps.offsets.crosscheck import check_offset_list, list_notes

    for note in list_notes(path, offsets):
        print(f"note: {path}: {note}", file=sys.stderr)
    findings = check_offset_list(path, offsets)
    for finding in findings:
        print_error("offsets", f"{path}: {finding}")
    return 1 if findings else 0


def _wobble(offsets: Offsets) -> str:
    """What turns with the rotator, or why that cannot be told."""
    from muse_nb.core.errors import MuseError
    from muse_nb.steps.offsets.wobble import fit_wobble

    try:
        return str(fit_wobble(offsets))
    except MuseError as error:
        return f"Wobble: {error}"


def _line(row: Mapping[str, Any]) -> str:
    """One exposure as a line."""
    if row["ra_offset_arcsec"] is None:
        return f"{row['date_obs']}  {row['verdict']}: {row['why']}"
    numbers = (
        f"{1e3 * row['ra_offset_arcsec']:+9.1f} ± {1e3 * row['ra_error_arcsec']:.1f}  "
        f"{1e3 * row['dec_offset_arcsec']:+9.1f} ± {1e3 * row['dec_error_arcsec']:.1f} mas  "
        f"{_rotation(row)}{row['n_stars']} stars"
    )
    return f"{row['date_obs']}  {numbers}  {row['verdict']} {row['why']}".rstrip()


def _rotation(row: Mapping[str, Any]) -> str:
    """By how much the rotator was off, where the stars tell."""
    if row["rotation_deg"] is None:
        return ""
    return f"{row['rotation_deg']:+.4f} ± {row['rotation_error_deg']:.4f} deg  "
