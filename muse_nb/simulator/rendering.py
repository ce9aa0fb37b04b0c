"""The star field as the slicer sees it: rendered once for each exposure, then only interpolated.

The stars become an oversampled image that is convolved with the seeing and the spaxel in Fourier space, at a few
wavelengths ("nodes") because refraction and seeing vary slowly; each slice of the instrument is a line through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.atmosphere import refraction_shift
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import Layout
from muse_nb.simulator.plan import Pointing

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "OVERSAMPLING",
    "STEP",
    "box_transfer",
    "field_coordinates",
    "moffat_transfer",
    "nodes",
    "profile_length",
    "slice_profiles",
    "splat",
]

SPAXEL = 0.2  # [arcsec]
OVERSAMPLING = 4  # image pixels in a spaxel: 14 or more in the FWHM of the seeing
STEP = 0.25  # between the points of a slice's profile [spaxel]
MARGIN = 16  # around the field, for stars outside and for wings [spaxel]
NODE_SPACING = 350.0  # [Angstrom]


def nodes(layout: Layout) -> np.ndarray:
    """Wavelengths at which the field is rendered; linear interpolation between them is good to 1 mas."""
    low, high = layout.lambda_first - 40, layout.lambda_last + 40
    return np.linspace(low, high, 2 + int((high - low) / NODE_SPACING))


def profile_length(layout: Layout) -> int:
    """Points of a slice's profile, one spaxel beyond either end."""
    return int((layout.spaxels + 2) / STEP) + 2


def field_coordinates(
    ra: np.ndarray, dec: np.ndarray, pointing: Pointing, centre: np.ndarray, spaxel: float = SPAXEL
) -> tuple[np.ndarray, np.ndarray]:
    """Gnomonic field position (x, y) in spaxels of true sky positions in degrees, at 7000 Angstrom."""
    a, d, a0, d0 = np.radians(ra), np.radians(dec), np.radians(pointing.true_ra), np.radians(pointing.true_dec)
    depth = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a - a0)
    east = np.degrees(np.cos(d) * np.sin(a - a0) / depth) * 3600
    north = np.degrees((np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(a - a0)) / depth) * 3600
    angle = np.radians(-pointing.posang - pointing.rotator)  # INS DROT MODE SKY
    # Inverse of CD = 0.2" [[-cos, -sin], [-sin, cos]], which is its own transpose.
    x = (-np.cos(angle) * east - np.sin(angle) * north) / spaxel
    y = (-np.sin(angle) * east + np.cos(angle) * north) / spaxel
    return x + centre[0], y + centre[1]


def slice_profiles(instrument: Instrument, stars: Table, pointing: Pointing) -> dict[int, np.ndarray]:
    """Render the stars of one exposure.

    Returns
    -------
    dict
        For each IFU, complex64 (nodes, slices x points): flux in a spaxel-sized box along every slice [1e-20
        erg/s/cm**2/Angstrom above the atmosphere, at 6500 Angstrom]; light with the spectrum of a warm star in the
        real part, of a cool one in the imaginary part.
    """
    from scipy import fft, ndimage

    low, high = instrument.limits
    spaxel = instrument.layout.spaxel
    origin = np.floor(low) - MARGIN
    size = [fft.next_fast_len(int(n), real=True) for n in (np.ceil(high - origin) + MARGIN)[::-1] * OVERSAMPLING]
    x, y = field_coordinates(np.asarray(stars["ra"]), np.asarray(stars["dec"]), pointing, instrument.centre, spaxel)
    flux, warm = np.asarray(stars["flux"]), np.asarray(stars["warm"])
    images = [
        splat((x - origin[0]) * OVERSAMPLING, (y - origin[1]) * OVERSAMPLING, flux * share, size)
        for share in (warm, 1 - warm)
    ]
    spectra = [fft.rfft2(image) for image in images]
    frequency = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None, :]
    box = box_transfer(frequency[0]) * box_transfer(frequency[1]) * OVERSAMPLING**2

    along = (np.arange(profile_length(instrument.layout)) * STEP) - (instrument.layout.spaxels + 2) / 2
    lines = {
        ifu: np.array(
            [
                [(s.y + along * np.sin(a) - origin[1]), (s.x + along * np.cos(a) - origin[0])]
                for s in instrument.geometry[ifu]
                for a in [np.radians(s.angle)]
            ]
        ).transpose(1, 0, 2)
        * OVERSAMPLING
        for ifu in instrument.layout.ifus
    }
    wavelengths = nodes(instrument.layout)
    profiles = {ifu: np.empty((wavelengths.size, line[0].size), np.complex64) for ifu, line in lines.items()}
    for k, wavelength in enumerate(wavelengths):
        fwhm = pointing.seeing * (wavelength / 7000.0) ** -0.2 / spaxel * OVERSAMPLING
        shift = np.array(refraction_shift(wavelength, pointing, spaxel)) * OVERSAMPLING
        transfer = box * moffat_transfer(size, fwhm, pointing.beta)
        transfer = transfer * np.exp(-2j * np.pi * (frequency[0] * shift[1] + frequency[1] * shift[0]))
        planes = [fft.irfft2(spectrum * transfer, s=size) for spectrum in spectra]
        for ifu, line in lines.items():
            warm_part, cool_part = (ndimage.map_coordinates(plane, line, order=1) for plane in planes)
            profiles[ifu][k] = (warm_part + 1j * cool_part).ravel()
    return profiles


def splat(x: np.ndarray, y: np.ndarray, weight: np.ndarray, shape: list[int]) -> np.ndarray:
    """Image of points, each shared between its four nearest pixels so that the centroid is exact."""
    image = np.zeros(shape)
    keep = (x >= 0) & (y >= 0) & (x < shape[1] - 1) & (y < shape[0] - 1)
    x, y, weight = x[keep], y[keep], weight[keep]
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - i, y - j
    for dj, di, share in ((0, 0, (1 - u) * (1 - v)), (0, 1, u * (1 - v)), (1, 0, (1 - u) * v), (1, 1, u * v)):
        np.add.at(image, (j + dj, i + di), weight * share)
    return image


def box_transfer(frequency: np.ndarray) -> np.ndarray:
    """Transfer function of the mean over one spaxel."""
    transfer: np.ndarray = np.sinc(frequency * OVERSAMPLING)
    return transfer


def moffat_transfer(shape: list[int], fwhm: float, beta: float) -> np.ndarray:
    """Transfer function of a round Moffat profile of unit flux, `fwhm` in pixels."""
    from scipy import fft

    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    profile = (1 + (y[:, None] ** 2 + x[None, :] ** 2) / alpha**2) ** -beta
    transfer: np.ndarray = fft.rfft2(profile / profile.sum()).real
    return transfer
