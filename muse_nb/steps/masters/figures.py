"""One figure a kind of master, and one of what moved: points by slice, quadrant or IFU, between their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.masters.compare import Moved
from muse_nb.steps.masters.kinds.response import known_throughput
from muse_nb.steps.masters.parts.limits import Limit, Limits
from muse_nb.steps.masters.parts.measured import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_kind", "draw_moved"]

BLUE, RED, GREY = "#0072b2", "#d55e00", "#555555"  # Okabe & Ito's blue and vermilion, for all eyes
WIDTH, HEIGHT = 7.2, 2.3  # of one panel [inch]
SHOWN = {  # kind -> numbers that have a panel
    "MASTER_BIAS": ("bias_noise", "bias_level", "bias_structure"),
    "MASTER_DARK": ("dark_level", "dark_hot"),
    "MASTER_FLAT": ("flat_slice_level", "flat_slice", "flat_frames"),
    "TRACE_TABLE": ("trace_width", "trace_relative", "trace_gap", "trace_rms"),
    "WAVECAL_TABLE": ("wave_rms", "wave_lines", "wave_resolution", "wave_relative", "wave_step"),
    "WAVECAL_RESIDUALS": ("wave_lamp",),
    "LSF_PROFILE": ("lsf_fwhm",),
    "TWILIGHT_CUBE": ("twilight_colour", "twilight_ifu"),
    "STD_RESPONSE": ("response_shape",),
    "ASTROMETRY_WCS": ("astrometry_scale", "astrometry_angle", "astrometry_skew"),
}
MOST_NAMES = 12  # places that are written below a panel
MANY_IFUS = 6  # beyond which a scale of colours stands for a legend


def draw_kind(kind: str, measured: Sequence[Measured], limits: Limits) -> Figure:
    """Draw what was measured of one kind of master.

    Parameters
    ----------
    kind
        PRO CATG.
    measured
        The masters of that kind, one or more.
    limits
        To draw between.
    """
    import matplotlib.pyplot as plt

    names = [name for name in SHOWN.get(kind, ()) if any(one.get(name).size for one in measured)]
    special = _SPECIAL.get(kind)
    extra = special is not None and any(one.arrays for one in measured)
    rows = max(1, len(names) + extra)
    figure, grid = plt.subplots(rows, 1, figsize=(WIDTH, HEIGHT * rows + 0.4), layout="constrained", squeeze=False)
    axes = list(grid[:, 0])
    if extra and special is not None:
        special(axes.pop(0), [one for one in measured if one.arrays])
    for ax, name in zip(axes, names, strict=False):
        _quantity(ax, measured, limits[name])
    figure.suptitle(f"{kind} (dashed: limits; blue: range of a real night)", fontsize=9)
    if len(measured) > 1 and measured[0].master.ifu and names:
        _ifu_legend(axes[0], measured)
    return figure


def _ifu_legend(ax: Axes, measured: Sequence[Measured]) -> None:
    """Say which colour is which IFU: a few by name, many by a scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if len(measured) <= MANY_IFUS:
        ax.legend(fontsize=6, ncols=MANY_IFUS, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
        return
    numbers = [one.master.ifu for one in measured]
    low, high = min(numbers), max(numbers)
    bar = ax.figure.colorbar(ScalarMappable(Normalize(low, low + (high - low) / 0.9), "cividis"), ax=ax)
    bar.ax.set_ylim(low, high)
    bar.set_label("IFU", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def draw_moved(moved: Sequence[Moved], limits: Limits) -> Figure:
    """Draw differences of two nights, a panel a number, with errors of one sigma and limits."""
    import matplotlib.pyplot as plt

    groups: dict[str, list[Moved]] = {}
    for row in moved:
        groups.setdefault(row.name, []).append(row)
    figure, grid = plt.subplots(
        len(groups), 1, figsize=(WIDTH, (HEIGHT - 0.4) * len(groups) + 0.4), layout="constrained", squeeze=False
    )
    for ax, (name, rows) in zip(grid[:, 0], groups.items(), strict=True):
        _differences(ax, rows, limits[name])
    figure.suptitle("this night less the other (dashed: limits; bars: one standard error)", fontsize=9)
    return figure


def _differences(ax: Axes, rows: Sequence[Moved], limit: Limit) -> None:
    """Draw one number of all IFUs over its places; over the IFUs where each has one."""
    by_ifu: dict[int, list[Moved]] = {}
    for row in rows:
        by_ifu.setdefault(row.ifu or 0, []).append(row)
    single = all(len(of_ifu) == 1 for of_ifu in by_ifu.values())
    for n, (colour, of_ifu) in enumerate(zip(_colours(len(by_ifu)), by_ifu.values(), strict=True)):
        x = np.arange(len(of_ifu)) + (1.0 + n if single else 1.0)
        errors = np.nan_to_num([row.error for row in of_ifu])
        ax.errorbar(x, [row.value for row in of_ifu], errors, fmt="o", ms=3, color=colour, elinewidth=0.8)
    ax.axhline(0, color=GREY, lw=0.5)
    _edges(ax, limit, [row.value for row in rows])
    if single:
        _labels(ax, limit, [f"IFU {row.ifu}" if row.ifu else row.place for row in rows])
    else:
        _labels(ax, limit, [row.place for row in max(by_ifu.values(), key=len)])


def _quantity(ax: Axes, measured: Sequence[Measured], limit: Limit) -> None:
    """Draw a number of every master over its places; over the IFUs where each has one."""
    found = [(one, q) for one in measured for q in one.quantities if q.name == limit.name]
    every = [q.values for _, q in found]
    if all(values.size == 1 for values in every) and len(found) > 1:
        ax.plot(range(1, len(found) + 1), np.concatenate(every), "o", ms=4, color=BLUE)
        places = [f"IFU {one.master.ifu}" for one, _ in found]
    else:
        for colour, (one, q) in zip(_colours(len(found)), found, strict=True):
            label = f"IFU {one.master.ifu}"
            ax.plot(np.arange(1, q.values.size + 1), q.values, "o-", ms=2.5, lw=0.5, color=colour, label=label)
        places = list(found[int(np.argmax([values.size for values in every]))][1].places)
    values = np.concatenate(every)
    if np.isfinite(limit.real_low):
        ax.axhspan(limit.real_low, limit.real_high, color=BLUE, alpha=0.12, lw=0)
    _edges(ax, limit, values)
    if places == [""] and found[0][0].master.ifu:
        places = [f"IFU {found[0][0].master.ifu}"]
    _labels(ax, limit, places)


def _colours(number: int) -> list[tuple[float, ...]]:
    import matplotlib.pyplot as plt

    return [tuple(plt.get_cmap("cividis")(k / max(1, number - 1) * 0.9)) for k in range(number)]


def _edges(ax: Axes, limit: Limit, values: Sequence[float] | np.ndarray) -> None:
    """Draw the limits, and cross what lies beyond."""
    for edge in (limit.low, limit.high):
        if np.isfinite(edge):
            ax.axhline(edge, ls="--", lw=0.9, color=RED)
    known = np.asarray(values, float)
    if not np.isfinite(known).any():
        ax.text(0.5, 0.5, "not known", transform=ax.transAxes, ha="center", fontsize=8, color=GREY)


def _labels(ax: Axes, limit: Limit, places: Sequence[str]) -> None:
    label = limit.what + (f" [{limit.unit}]" if limit.unit else "")
    ax.set_ylabel(_folded(label), fontsize=7)
    ax.tick_params(labelsize=7)
    if len(places) <= MOST_NAMES:
        ax.set_xticks(range(1, len(places) + 1), [place or "whole field" for place in places], fontsize=6)
        ax.set_xlim(0.5, len(places) + 0.5)
    else:
        nouns = {"slices": "the left one of two slices", "slice": "slice", "plane": "plane", "IFU": "IFU"}
        ax.set_xlabel(nouns.get(places[0].split()[0], "number, in the order of the table"), fontsize=7)


def _folded(text: str, width: int = 30) -> str:
    """Break a label in lines."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def _columns(ax: Axes, measured: Sequence[Measured]) -> None:
    for colour, one in zip(_colours(len(measured)), measured, strict=True):
        columns = one.arrays["columns"]
        ax.plot(np.arange(1, columns.size + 1), columns, lw=0.4, color=colour)
    unit = "adu" if measured[0].master.kind == "MASTER_BIAS" else "count/h"
    _axes(ax, "column of the chip [pixel]", f"median of the column [{unit}]")


def _traces(ax: Axes, measured: Sequence[Measured]) -> None:
    one = measured[0]
    rows, centre = one.arrays["rows"], one.arrays["centre"]
    for n, colour in enumerate(_colours(len(centre))):
        ax.plot(rows, centre[n] - centre[n, rows.size // 2], lw=0.6, color=colour)
    _axes(ax, f"row of the chip [pixel], IFU {one.master.ifu}", "centre of the slice less\nthat in mid-chip [pixel]")
    _slice_scale(ax)


def _runs(ax: Axes, measured: Sequence[Measured]) -> None:
    one = next((one for one in measured if "wavelength" in one.arrays), None)
    if one is None:
        ax.text(0.5, 0.5, "not known", transform=ax.transAxes, ha="center", fontsize=8, color=GREY)
        return
    rows, wavelength = one.arrays["rows"], one.arrays["wavelength"]
    step = np.nanmedian(one.arrays["dispersion"])
    for n, colour in enumerate(_colours(len(wavelength))):
        ax.plot(rows, wavelength[n] - step * rows - np.nanmedian(wavelength - step * rows), lw=0.6, color=colour)
    _axes(ax, f"row of the chip [pixel], IFU {one.master.ifu}", f"wavelength less {step:.4f} a row\n[Angstrom]")
    _slice_scale(ax)


def _slice_scale(ax: Axes) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = ax.figure.colorbar(ScalarMappable(Normalize(1, 48 / 0.9), "cividis"), ax=ax)
    bar.ax.set_ylim(1, 48)
    bar.set_label("slice", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def _residuals(ax: Axes, measured: Sequence[Measured]) -> None:
    for colour, one in zip(_colours(len(measured)), measured, strict=True):
        ax.plot(one.arrays["wavelength"], one.arrays["residual"], ".", ms=2, color=colour)
    _axes(ax, "wavelength of the arc line [Angstrom]", "median residual of the line\nin a slice [Angstrom]")


def _lsf(ax: Axes, measured: Sequence[Measured]) -> None:
    one = measured[0]
    at, fwhm = one.arrays["wavelength"], one.arrays["fwhm"]
    extent = (float(at[0]), float(at[-1]), 0.5, len(fwhm) + 0.5)
    image = ax.imshow(fwhm, origin="lower", aspect="auto", extent=extent, cmap="cividis", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label("FWHM [Angstrom]", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    _axes(ax, f"wavelength [Angstrom], IFU {one.master.ifu}", "slice")


def _twilight(ax: Axes, measured: Sequence[Measured]) -> None:
    white = measured[0].arrays["white"]
    image = ax.imshow(white, origin="lower", cmap="cividis", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label("illumination / its median", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    _axes(ax, "x [spaxel]", "y [spaxel]")


def _throughput(ax: Axes, measured: Sequence[Measured]) -> None:
    for colour, one in zip((BLUE, "#009e73", "#cc79a7", "#e69f00") * len(measured), measured, strict=False):
        ax.plot(one.arrays["wavelength"], 100 * one.arrays["throughput"], lw=1, color=colour, label=one.master.name)
    at, known = known_throughput()
    ax.plot(at, 100 * known, "s", ms=4, color=GREY, label="MUSE on a real night")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=6, frameon=False)
    _axes(ax, "wavelength in air [Angstrom]", "throughput [%]")


def _transmission(ax: Axes, measured: Sequence[Measured]) -> None:
    for colour, one in zip((BLUE, "#009e73", "#cc79a7", "#e69f00") * len(measured), measured, strict=False):
        ax.plot(one.arrays["wavelength"], one.arrays["transmission"], lw=0.8, color=colour, label=one.master.name)
    ax.legend(fontsize=6, frameon=False)
    _axes(ax, "wavelength in air [Angstrom]", "transmission")


def _axes(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x, fontsize=7)
    ax.set_ylabel(y, fontsize=7)
    ax.tick_params(labelsize=7)


_SPECIAL: Mapping[str, Callable[[Axes, Sequence[Measured]], None]] = {
    "MASTER_BIAS": _columns,
    "MASTER_DARK": _columns,
    "TRACE_TABLE": _traces,
    "WAVECAL_TABLE": _runs,
    "WAVECAL_RESIDUALS": _residuals,
    "LSF_PROFILE": _lsf,
    "TWILIGHT_CUBE": _twilight,
    "STD_RESPONSE": _throughput,
    "STD_TELLURIC": _transmission,
}
