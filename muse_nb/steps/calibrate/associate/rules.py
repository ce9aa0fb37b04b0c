"""The pipeline's rules of association: what a recipe takes and makes, and how near in time and how alike it must be.

They are those of ESO's Reflex workflow and of the recipes' sources; the choice of an attached flat is musered's.
"""

from __future__ import annotations

from dataclasses import dataclass

from muse_nb.recipes.checks.calibrating import MIN_FRAMES

__all__ = [
    "ILLUM_HOURS",
    "ILLUM_KELVIN",
    "KINDS",
    "MASKED_UNTIL",
    "OF_A_STANDARD",
    "RAW_TAGS",
    "SERVES",
    "STATIC",
    "Kind",
    "Rule",
]


@dataclass(frozen=True)
class Kind:
    """Raw frames that are reduced together.

    Attributes
    ----------
    name : str
        In ids and sentences.
    recipe : str
    products : tuple of str
        Tags.
    needs : tuple of str
        Tags of calibrations without which the recipe fails.
    takes : tuple of str
        Tags that it uses where they are there.
    at_least : int
        Frames below which the recipe fails.
    together : bool
        Whether the frames of a template make one product, or each its own.
    """

    name: str
    recipe: str
    products: tuple[str, ...]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    at_least: int = 1
    together: bool = True


_TRACED = ("MASTER_BIAS", "TRACE_TABLE", "WAVECAL_TABLE")
_BASIC = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE", "GEOMETRY_TABLE")
_MORE = ("MASTER_DARK", "TWILIGHT_CUBE", "BADPIX_TABLE", "ILLUM")
# In the order in which they can run; by DPR TYPE.
KINDS = {
    "BIAS": Kind("bias", "muse_bias", ("MASTER_BIAS",), (), ("BADPIX_TABLE",), MIN_FRAMES["BIAS"]),
    "DARK": Kind("dark", "muse_dark", ("MASTER_DARK",), ("MASTER_BIAS",), ("BADPIX_TABLE",), MIN_FRAMES["DARK"]),
    "FLAT,LAMP": Kind(
        "flat",
        "muse_flat",
        ("MASTER_FLAT", "TRACE_TABLE"),
        ("MASTER_BIAS",),
        ("MASTER_DARK", "BADPIX_TABLE"),
        MIN_FRAMES["FLAT"],
    ),
    "WAVE": Kind("wavecal", "muse_wavecal", ("WAVECAL_TABLE",), ("MASTER_BIAS", "TRACE_TABLE", "LINE_CATALOG")),
    "WAVE,LSF": Kind("lsf", "muse_lsf", ("LSF_PROFILE",), (*_TRACED, "LINE_CATALOG")),
    "WAVE,MASK": Kind("geometry", "muse_geometry", ("GEOMETRY_TABLE",), (*_TRACED, "LINE_CATALOG"), (), 50),
    "FLAT,SKY": Kind(
        "twilight", "muse_twilight", ("TWILIGHT_CUBE",), _BASIC, ("VIGNETTING_MASK", "ILLUM"), MIN_FRAMES["SKYFLAT"]
    ),
    "STD": Kind("std", "muse_scibasic", ("PIXTABLE_STD",), _BASIC, _MORE, 1, False),
    "ASTROMETRY": Kind("astrometry", "muse_scibasic", ("PIXTABLE_ASTROMETRY",), _BASIC, _MORE, 1, False),
    "SKY": Kind("sky", "muse_scibasic", ("PIXTABLE_SKY",), _BASIC, _MORE, 1, False),
    "OBJECT": Kind("object", "muse_scibasic", ("PIXTABLE_OBJECT",), _BASIC, _MORE, 1, False),
}

RAW_TAGS = {
    "BIAS": "BIAS",
    "DARK": "DARK",
    "FLAT,LAMP": "FLAT",
    "WAVE": "ARC",
    "WAVE,LSF": "ARC_LSF",
    "WAVE,MASK": "MASK",
    "FLAT,SKY": "SKYFLAT",
    "FLAT,LAMP,ILLUM": "ILLUM",
    "STD": "STD",
    "ASTROMETRY": "ASTROMETRY",
    "SKY": "SKY",
    "OBJECT": "OBJECT",
}
"""By DPR TYPE: what a recipe calls a raw frame."""

# What is made of the pixel tables of muse_scibasic.
OF_A_STANDARD = {
    "STD": Kind(
        "response",
        "muse_standard",
        ("STD_RESPONSE", "STD_TELLURIC"),
        ("EXTINCT_TABLE", "STD_FLUX_TABLE"),
        ("FILTER_LIST",),
    ),
    "ASTROMETRY": Kind(
        "wcs",
        "muse_astrometry",
        ("ASTROMETRY_WCS",),
        ("ASTROMETRY_REFERENCE",),
        ("EXTINCT_TABLE", "STD_RESPONSE", "STD_TELLURIC"),
    ),
    "SKY": Kind(
        "skymodel",
        "muse_create_sky",
        ("SKY_LINES", "SKY_CONTINUUM"),
        ("EXTINCT_TABLE", "STD_RESPONSE", "SKY_LINES", "LSF_PROFILE"),
        ("STD_TELLURIC",),
    ),
    "OBJECT": Kind(
        "cube",
        "muse_scipost",
        ("DATACUBE_FINAL", "IMAGE_FOV", "PIXTABLE_REDUCED"),
        ("EXTINCT_TABLE", "STD_RESPONSE"),
        ("STD_TELLURIC", "ASTROMETRY_WCS", "SKY_LINES", "LSF_PROFILE", "FILTER_LIST", "SKY_CONTINUUM"),
    ),
}


@dataclass(frozen=True)
class Rule:
    """When a calibration serves.

    Attributes
    ----------
    days : float or None
        At most so far from what it serves [d]; None: of any date.
    same_mode : bool
        Of the same INS MODE.
    same_optics : bool
        Of the same INS OPTI2 NAME: the wide field's or the narrow field's.
    same_readout : bool
        Of the same DET READ CURNAME.
    at_hand_first : bool
        A file that is there serves before one that is made of the raw frames. An astrometric solution belongs to the
        GEOMETRY_TABLE with which it was made; ESO makes both together, from fields taken once a month
        (https://www.eso.org/observing/dfo/quality/MUSE/pipeline/pipe_calib.html).
    """

    days: float | None
    same_mode: bool = False
    same_optics: bool = False
    same_readout: bool = True
    at_hand_first: bool = False


SERVES = {
    "MASTER_BIAS": Rule(3.0),
    "MASTER_DARK": Rule(5.0),
    "MASTER_FLAT": Rule(3.0, same_mode=True),
    "TRACE_TABLE": Rule(3.0, same_mode=True),
    "WAVECAL_TABLE": Rule(3.0, same_mode=True),
    "TWILIGHT_CUBE": Rule(30.0, same_mode=True),
    "LSF_PROFILE": Rule(None, same_mode=True, same_readout=False),
    "STD_RESPONSE": Rule(None, same_mode=True, same_readout=False),
    "STD_TELLURIC": Rule(1.0, same_mode=True, same_readout=False),
    "ASTROMETRY_WCS": Rule(None, same_optics=True, same_readout=False, at_hand_first=True),
    "GEOMETRY_TABLE": Rule(None, same_optics=True, same_readout=False),
    "SKY_CONTINUUM": Rule(0.5, same_mode=True, same_readout=False),
    "SKY_LINES": Rule(None, same_readout=False),
}
STATIC = (
    "LINE_CATALOG",
    "BADPIX_TABLE",
    "EXTINCT_TABLE",
    "STD_FLUX_TABLE",
    "FILTER_LIST",
    "ASTROMETRY_REFERENCE",
    "VIGNETTING_MASK",
)
"""Tags of files that serve whatever their date."""

MASKED_UNTIL = 57823.5
"""MJD of 2017-03-11: before, twilights were vignetted and need the VIGNETTING_MASK."""

ILLUM_HOURS, ILLUM_KELVIN = 2.0, 1.0
"""Attached flats within 2 hours: that of the closest INS TEMP7; none of them more than 1 degree off."""
