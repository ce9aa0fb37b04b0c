"""What a cube viewer and its browser both know."""

from __future__ import annotations

import traitlets

from muse_nb.steps.look.band import BAND_HOWS
from muse_nb.widgets.shared.base import COLOUR_MAPS, Viewer
from muse_nb.widgets.shared.limits import LIMITS, STRETCHES

__all__ = ["CubeTraits"]

SHOWN = ("white", "plane", "band", "rgb", "map")


class CubeTraits(Viewer):
    """Settings, and what is kept for a page without a kernel."""

    shown = traitlets.Enum(SHOWN, "white", help="White light, a plane, a band, three bands, a line's map.").tag(
        sync=True
    )
    layer = traitlets.Unicode("DATA", help="DATA, STAT, S/N, NaN, or an extension of the cube.").tag(sync=True)
    wavelength = traitlets.Float(0.0, help="Of the plane and the cursor [Angstrom].").tag(sync=True)
    band = traitlets.List(traitlets.Float(), help="First and last wavelength [Angstrom].").tag(sync=True)
    continuum = traitlets.List(
        traitlets.List(traitlets.Float()), help="Windows whose mean is taken off the band [Angstrom]."
    ).tag(sync=True)
    how = traitlets.Enum(BAND_HOWS, "mean", help="What is made of a band's planes.").tag(sync=True)
    rgb = traitlets.List(traitlets.List(traitlets.Float()), help="Bands of red, green, blue.").tag(sync=True)
    map = traitlets.Unicode("FLUX", help="Which map of the line.").tag(sync=True)
    other = traitlets.Bool(False, help="Show the cube of `compare` in place of this one.").tag(sync=True)
    blink = traitlets.Bool(False, help="Show both in turn.").tag(sync=True)

    stretch = traitlets.Enum(STRETCHES, "asinh").tag(sync=True)
    limits = traitlets.Enum(tuple(LIMITS), "99.5").tag(sync=True)
    cut = traitlets.List(traitlets.Float(), help="Limits set by hand; empty: those of `limits`.").tag(sync=True)
    cmap = traitlets.Enum(COLOUR_MAPS, "cividis").tag(sync=True)
    view = traitlets.List(traitlets.Float()).tag(sync=True)
    xrange = traitlets.List(traitlets.Float(), help="Wavelengths of the plot; empty: all.").tag(sync=True)
    yrange = traitlets.List(traitlets.Float(), help="Fluxes of the plot; empty: what is there.").tag(sync=True)

    per_spaxel = traitlets.Bool(False, help="Plot sums divided by their area.").tag(sync=True)

    pointer = traitlets.List(traitlets.Float(), help="Spaxel under the pointer, from 0; link it to share it.").tag(
        sync=True
    )
    spaxel = traitlets.List(traitlets.Int(), help="Spaxel that was clicked, from 0; its spectrum stays.").tag(sync=True)
    regions = traitlets.List(traitlets.Dict(), help="Apertures, see muse_nb.widgets.cube.shapes.Drawn.").tag(sync=True)
    chosen = traitlets.Int(0, help="Number of the chosen region.").tag(sync=True)
    line = traitlets.Unicode("Halpha", help="Line that is mapped.").tag(sync=True)
    redshift = traitlets.Float(0.0).tag(sync=True)
    lines_shown = traitlets.Bool(False, help="Lines at the redshift, over the spectrum.").tag(sync=True)
    sky_shown = traitlets.Bool(False, help="Lines of the night sky, over the spectrum.").tag(sync=True)
    progress = traitlets.List(help="What is done in the background: words, done, all.").tag(sync=True)
    said = traitlets.Unicode("", help="What was saved last, and where.").tag(sync=True)

    cube = traitlets.Dict(help="Shape, wavelengths, sky, units, lines and layers of the cube.").tag(sync=True)
    kept = traitlets.List(help="The image that is shown, or three: coding, limits, histogram, unit, label.").tag(
        sync=True
    )
    kept_image = traitlets.Bytes(help="Its half floats.").tag(sync=True)
    kept_causes = traitlets.Bytes(help="Causes of its NaN, one byte a spaxel.").tag(sync=True)
    kept_second = traitlets.Dict(help="The same of the other cube, for a page without a kernel.").tag(sync=True)
    kept_second_image = traitlets.Bytes().tag(sync=True)
    waves = traitlets.Bytes(help="Wavelengths, float64.").tag(sync=True)
    spectra = traitlets.List(help="Of the clicked spaxel (id 0) and of regions: id, unit, what to know.").tag(sync=True)
    spectra_data = traitlets.Bytes(help="Flux and error of each, float32.").tag(sync=True)
    told = traitlets.Dict(help="Statistics of the chosen region, or the profile of a star.").tag(sync=True)
    fitted = traitlets.Dict(help="Fit of the line in the clicked spaxel.").tag(sync=True)
    contours = traitlets.List(help="Lines of another image, in spaxels: x, y, x, y ... each.").tag(sync=True)
    small = traitlets.Dict(help="The cube made small, for pages without a kernel: bin, step, nx, ny, nz, code.").tag(
        sync=True
    )
    small_data = traitlets.Bytes().tag(sync=True)
