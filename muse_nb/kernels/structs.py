"""Structures and constants that the C kernels share with Python, in the C files' words and order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_double, c_float, c_int32, c_int64, c_void_p

import numpy as np

__all__ = [
    "BLOCK",
    "COLUMNS",
    "MAXTHREADS",
    "STORY",
    "Crowd",
    "Exposure",
    "Grid",
    "NormalEquations",
    "Place",
    "Voxels",
]

BLOCK = 128  # rows of a block of the wavelength index
COLUMNS = ("xpos", "ypos", "lambda", "data", "dq", "stat")
MAXTHREADS = 64


class Exposure(Structure):
    """One exposure's pixel table; see ``Exposure`` in ``stream.h``."""

    _fields_ = (
        ("fd", c_int32),
        ("kind", c_int32),
        ("nrow", c_int64),
        ("offset", c_int64 * len(COLUMNS)),
        ("stride", c_int64 * len(COLUMNS)),
        ("sin_dec", c_double),
        ("cos_dec", c_double),
        ("d_ra", c_double),
        ("d_dec", c_double),
        ("weight", c_float),
        ("flux", c_float),
        ("index", POINTER(c_float)),
        ("limit", c_double * 6),
        ("across_x", c_int32),
        ("across_y", c_int32),
        ("turn", c_double),
    )


class Grid(Structure):
    """The cube and its drops; see ``Grid`` in ``stream.h``."""

    _fields_ = (
        *((name, c_int32) for name in ("nx", "ny", "nz", "swap")),
        *((name, c_double) for name in ("ra", "dec", "sin_dec", "cos_dec", "crpix_x", "crpix_y", "step")),
        *((name, c_double) for name in ("lambda_min", "lambda_step", "drop_ra", "drop_dec", "drop_lambda")),
        *((name, c_double) for name in ("lambda_low", "lambda_high")),
    )


class Voxels(Structure):
    """A cube's voxels and the size of a drop; see ``Voxels`` in ``nans.c``."""

    _fields_ = (
        *((name, c_int32) for name in ("nx", "ny", "nz", "pad")),
        *((name, c_double) for name in ("crval3", "cd33", "crpix3")),
        *((name, c_double) for name in ("drop_x", "drop_y", "drop_z", "size_x", "size_y", "size_z")),
        *((name, c_void_p) for name in ("ra", "dec", "cosdec")),
        *((name, c_double) for name in ("ra0", "dec0")),
    )


class Place(Structure):
    """How positions of a pixel table become cells of a cube; see ``Place`` in ``nans.c``."""

    _fields_ = (
        *((name, c_int32) for name in ("native", "cut")),
        *((name, c_double) for name in ("ra", "dec", "crval1", "crval2", "crpix1", "crpix2")),
        *((name, c_double) for name in ("cd11", "cd12", "cd21", "cd22")),
    )


class NormalEquations(Structure):
    """The normal equations of a fit of stars; see ``Normal`` in ``normal.c``."""

    _fields_ = (
        *((name, c_int64) for name in ("exposures", "stars", "reference", "most")),
        *((name, c_double) for name in ("prior", "tolerance")),
        *((name, c_void_p) for name in ("row", "column", "block", "border", "shape", "a", "fa", "fx", "g", "q")),
    )


class Crowd(Structure):
    """The stars of a field and the mesh of its background; see ``Crowd`` in ``crowd.c``."""

    _fields_ = (
        *((name, c_int64) for name in ("stars", "nx", "ny", "across", "up")),
        *((name, c_void_p) for name in ("box", "core", "start", "value", "least", "row", "column")),
        *((name, c_void_p) for name in ("hat_x", "hat_y", "reach_x", "reach_y", "base", "light")),
        *((name, c_double) for name in ("clip", "tolerance", "of_mad", "whole")),
        ("rounds", c_int64),
    )


STORY = np.dtype(
    [
        ("good", "f4"),
        ("bad", "f4"),
        ("dq", "i4"),
        ("origin", "i4"),
        ("table", "i4"),
        ("common", "u4"),
        ("near", "u1"),
        ("nonfinite", "u1"),
        ("only_badpix", "u1"),
        ("zero_weight", "u1"),
    ]
)
"""What reaches a voxel; see ``Story`` in ``nans.c``."""
