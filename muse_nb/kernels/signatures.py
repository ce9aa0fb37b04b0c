"""What the C kernels take and return: every function that Python calls, declared once."""

from __future__ import annotations

from ctypes import CDLL, POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_uint32, c_void_p

from muse_nb.kernels.structs import Crowd, Exposure, Grid, NormalEquations, Place, Voxels

__all__ = ["SIGNATURES", "declare"]

_INT, _LONG, _FLOAT, _REAL, _ARRAY = c_int, c_int64, c_float, c_double, c_void_p
_GRID, _EXPOSURE, _RING = POINTER(Grid), POINTER(Exposure), c_void_p
_VOXELS, _PLACE, _NORMAL = POINTER(Voxels), POINTER(Place), POINTER(NormalEquations)
_CROWD = POINTER(Crowd)
_STAMPS = (_LONG, *[_ARRAY] * 3)  # how many, their boxes, where they start, their profiles

SIGNATURES: dict[str, tuple[tuple[type, ...], type | None]] = {  # arguments, result
    # crowd.c
    "crowd_planes": ((_CROWD, _LONG, *[_ARRAY] * 2, _INT, _INT, *[_ARRAY] * 9), _INT),
    "crowd_profiles": ((_LONG, *[_ARRAY] * 5, _LONG, _REAL, _REAL, *[_ARRAY] * 2, _INT, _ARRAY), None),
    "crowd_add": ((_CROWD, _ARRAY, _ARRAY), None),
    # detect.c
    "detect_convolve": ((_LONG, _LONG, _ARRAY, _LONG, *[_ARRAY] * 3), None),
    "detect_add": ((*[_LONG] * 3, *[_ARRAY] * 4, _LONG, _LONG, _ARRAY), None),
    "detect_spline": ((_LONG, _LONG, *[_ARRAY] * 3, _LONG, _LONG, *[_ARRAY] * 3), None),
    # frame_stats.c, frame_cosmics.c
    "frame_counts": ((*[_ARRAY] * 3, _LONG, _INT, _FLOAT, _FLOAT, _ARRAY), None),
    "frame_cosmics": ((*[_ARRAY] * 3, _LONG, _LONG, _INT, _INT, _ARRAY, _ARRAY), _INT),
    # lines.c
    "fit_lines": ((_LONG, _LONG, *[_ARRAY] * 3, *[_REAL] * 4, _INT, _ARRAY), None),
    # nans.c
    "plane_coverage": ((_ARRAY, _LONG, _INT, c_int32, *[_ARRAY] * 3, POINTER(c_int64)), _LONG),
    "place_rows": ((_VOXELS, _PLACE, _LONG, *[_ARRAY] * 6), None),
    "row_coverage": ((_VOXELS, _LONG, *[_ARRAY] * 6), None),
    "row_stories": ((_VOXELS, _LONG, *[_ARRAY] * 9, *[c_int32] * 4, _ARRAY, _ARRAY), None),
    # normal.c
    "normal_solve": ((_NORMAL, *[_ARRAY] * 3), None),
    # psf.c
    "psf_stamps": ((_LONG, *[_ARRAY] * 7, _LONG, _LONG, *[_ARRAY] * 5), None),
    "psf_pairs": ((_LONG, *[_ARRAY] * 4), _LONG),
    "psf_blocks": ((*_STAMPS, *[_ARRAY] * 2, _LONG, *[_ARRAY] * 4), None),
    "psf_border": ((*_STAMPS, *[_ARRAY] * 2, _LONG, _LONG, *[_ARRAY] * 5), None),
    "psf_core": ((*_STAMPS, _LONG, *[_ARRAY] * 2), None),
    "psf_support": ((*_STAMPS, _LONG, *[_ARRAY] * 3), None),
    "psf_squares": ((*_STAMPS, _LONG, *[_ARRAY] * 2), None),
    "psf_above": ((*_STAMPS, _LONG, *[_ARRAY] * 2), None),
    "psf_shape": ((_LONG, *[_ARRAY] * 5), None),
    "psf_weigh": ((_LONG, *[_ARRAY] * 4, _REAL, _REAL, *[_ARRAY] * 2), None),
    "psf_discs": ((_LONG, *[_ARRAY] * 3, _LONG, _LONG, _ARRAY), None),
    # scan.c
    "scan_offsets": (
        (_LONG, *[_ARRAY] * 2, _LONG, *[_ARRAY] * 3, _LONG, _LONG, *[_ARRAY] * 3, *[_REAL] * 3, *[_ARRAY] * 2),
        None,
    ),
    # limits.c, ring.c, load.c, sort.c, cosmics.c, others.c, drizzle.c, nearest.c
    "stream_scan": ((_EXPOSURE, _REAL, _REAL, _INT), _INT),
    "stream_open": ((_GRID, _INT, _INT, _INT), _RING),
    "stream_close": ((_RING,), None),
    "stream_load": ((_GRID, _EXPOSURE, _RING, _INT, _INT), _INT),
    "stream_sort": ((_RING, _INT), _INT),
    "stream_cosmics": ((_GRID, _RING, _INT, _INT, _REAL), _INT),
    "stream_others": ((_GRID, _RING, _EXPOSURE, _INT, _REAL), _INT),
    "stream_drizzle": ((_GRID, _RING, _EXPOSURE, _INT, _ARRAY), None),
    "stream_nearest": ((_GRID, _RING, _INT, *[_ARRAY] * 3), None),
    "stream_finish": ((_GRID, _RING, _INT, _ARRAY, _ARRAY), None),
    # reasons.c
    "stream_reasons_open": ((_GRID, _RING, _INT), _INT),
    "stream_reasons_close": ((_RING,), None),
    "stream_reasons_forget": ((_RING, _INT, _INT), None),
    "stream_reasons_add": ((_GRID, _RING, _EXPOSURE, _INT), None),
    "stream_reasons_finish": ((_GRID, _RING, _INT, _ARRAY, *[c_uint32] * 3, _ARRAY, _ARRAY), None),
    "stream_slices": ((_GRID, _EXPOSURE, _ARRAY), _INT),
    # voxels.c
    "voxels_sums": ((*[_ARRAY] * 2, *[_LONG] * 8, _ARRAY, _INT, *[_ARRAY] * 3), None),
    "voxels_medians": ((_ARRAY, *[_LONG] * 3, _ARRAY, _LONG, _INT, _REAL, _REAL, _INT, *[_ARRAY] * 3), None),
    "voxels_planes": ((*[_ARRAY] * 3, _LONG, _LONG, _INT, *[_ARRAY] * 3), None),
    # threads.c
    "vector_bits": ((), _INT),
    # module.c
    "kernel_sources": ((), c_char_p),
}


def declare(core: CDLL) -> None:
    """Tell ctypes what the functions of the compiled kernels take and return.

    Raises
    ------
    AttributeError
        One of them is not there: the kernels are older than this.
    """
    for name, (arguments, result) in SIGNATURES.items():
        function = getattr(core, name)
        function.argtypes, function.restype = arguments, result
