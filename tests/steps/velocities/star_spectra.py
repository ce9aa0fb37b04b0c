"""Spectra of stars with known velocities, with the noise of a resampled cube or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.simulator.fields import draw_field
from muse_nb.simulator.spectra import C_KM_S, cool_star, warm_star
from muse_nb.steps.look.headers import wavelength_axis
from muse_nb.steps.stars.result import StarSpectra


def spectra(
    stars: Table, low: float, high: float, snr: np.ndarray, *, seed: int = 1, shared: float = 0.0, step: float = 1.25
) -> StarSpectra:
    """Sample the simulator's stars on planes; `shared`: what neighbouring planes share of their noise."""
    random = np.random.default_rng(seed)
    wavelength = np.arange(low, high, step)
    flux, error = np.empty((2, len(stars), len(wavelength)))
    for k, star in enumerate(stars):
        rest = wavelength / (1 + star["vrad"] / C_KM_S)
        light = star["warm"] * warm_star(rest) + (1 - star["warm"]) * cool_star(rest)
        sigma = np.median(light) / snr[k]
        draws = random.standard_normal(len(wavelength) + 1)
        share = (1 - np.sqrt(1 - 4 * shared**2)) / (2 * shared) if shared else 0.0  # of a moving average of two
        noise = (draws[1:] + share * draws[:-1]) / np.sqrt(1 + share**2)
        flux[k], error[k] = light + sigma * noise, sigma
    table = Table({"number": np.arange(1, len(stars) + 1), "ra": stars["ra"], "dec": stars["dec"]})
    table["x"] = table["y"] = np.arange(1.0, len(stars) + 1)
    table["snr"], table["quality"] = snr, 0
    return StarSpectra(
        Path("CUBE.fits"), table, wavelength, flux.astype(np.float32), error.astype(np.float32),
        np.zeros(flux.shape, bool), np.ones(flux.shape, np.float32),
        Table({"wavelength": [low], "fwhm": [0.8], "beta": [2.8], "dx": [0.0], "dy": [0.0]}), "", "air",
        wavelength_axis(SpectralAxis(low, step, 1.0, "air")),
    )  # fmt: skip


def cluster(number: int) -> Table:
    """Stars of the simulated cluster."""
    return draw_field("cluster", 30.0, 3).stars[:number]
