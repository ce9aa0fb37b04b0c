"""The compiled and the shortened parts of the star fit against NumPy and SciPy on the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.signal import convolve2d
from threadpoolctl import threadpool_info, threadpool_limits

from muse_nb.kernels.detect import add_maps, convolve, spline_at
from muse_nb.kernels.psf import moffat_stamps
from muse_nb.steps.offsets.starfit.normal import POSITION_PRIOR, Equations, FrameEquations
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.psf import kernel, round_psf
from muse_nb.steps.offsets.starfit.small import column_medians


@pytest.mark.parametrize(("shape", "width"), [((40, 53), 4.5), ((7, 3), 5.0), ((1, 70), 3.0)])
def test_convolution_with_a_star_is_that_of_scipy(shape: tuple[int, int], width: float) -> None:
    image, star = np.random.default_rng(1).normal(size=shape), kernel(width).astype(float)
    assert np.allclose(convolve(image, star), _same(convolve2d(image, star), star, shape), rtol=0, atol=1e-5)


def _same(full: np.ndarray, star: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    reach = len(star) // 2
    return full[reach : reach + shape[0], reach : reach + shape[1]]


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
def test_medians_of_columns_with_gaps_are_those_of_numpy(rows: int) -> None:
    random = np.random.default_rng(rows)
    values = random.normal(size=(rows, 50))
    values[1:][random.random((rows - 1, 50)) < 0.4] = np.nan
    assert np.array_equal(column_medians(values), np.nanmedian(values, axis=0))


def test_maps_are_added_where_they_lie_on_the_sky() -> None:
    maps = np.random.default_rng(2).normal(size=(2, 20, 31))
    matrix, zero, gain = np.array([[0.8, 0.6], [-0.6, 0.8]]), np.array([-2.3, 9.1]), np.array([2.0, 3.0])
    total = np.ones((2, 25, 28))
    add_maps(total, maps, gain, matrix, zero)
    for k in range(2):
        moved = ndimage.affine_transform(maps[k], matrix, zero, output_shape=(25, 28), order=1)
        assert np.allclose(total[k], 1 + gain[k] * moved, rtol=0, atol=1e-12)


def test_a_spline_and_its_slopes_are_those_of_scipy_and_go_on_beyond_the_grid() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(40, 31)), 2.0)
    matrix, zero = np.array([[0.8, 0.6], [-0.6, 0.8]]), np.array([-3.3, 19.1])
    value, along_row, along_column = spline_at(ndimage.spline_filter(image), matrix, zero, (25, 28))
    true = ndimage.affine_transform(image, matrix, zero, output_shape=(25, 28), order=3, mode="nearest")
    row, column = np.tensordot(matrix, np.indices((25, 28)), 1) + zero[:, None, None]
    inner = (row > 6) & (row < 33) & (column > 6) & (column < 24)
    assert inner.sum() > 200
    assert np.allclose(value[inner], true[inner], rtol=0, atol=1e-3)
    for along, step in ((along_row, [0.01, 0]), (along_column, [0, 0.01])):
        ahead, behind = (
            spline_at(ndimage.spline_filter(image), matrix, zero + s * np.array(step), (25, 28))[0] for s in (1, -1)
        )
        assert np.allclose(along, (ahead - behind) / 0.02, rtol=0, atol=1e-4)
    far = spline_at(np.ones((4, 5)), 1e6 * np.eye(2), np.array([-1e7, -1e7]), (20, 20))
    assert np.allclose(far[0], 1, rtol=0, atol=1e-12)
    assert np.allclose(far[1:], 0, rtol=0, atol=1e-12)


def test_a_stamp_is_a_moffat_integrated_over_its_pixels() -> None:
    psf, at, fine = np.array([0.08, 0.01, 0.06, 2.7]), np.array([[12.3, 9.6]]), 40
    stamps = moffat_stamps(at, np.array([50.0]), np.array([9]), psf, (20, 25))
    profile, (rows, columns) = stamps.image_of(0)
    side = (np.arange(fine) + 0.5) / fine - 0.5
    y = (np.arange(20)[rows, None] + side).ravel() - at[0, 1]
    x = (np.arange(25)[columns, None] + side).ravel() - at[0, 0]
    whole = (1 + psf[0] * x**2 + 2 * psf[1] * x * y[:, None] + psf[2] * y[:, None] ** 2) ** -psf[3]
    true = whole.reshape(len(y) // fine, fine, len(x) // fine, fine).mean((1, 3))
    assert np.allclose(profile, true, rtol=0, atol=2e-3)  # second order in the pixel
    moved = [
        moffat_stamps(at + np.array([d, 0]), np.array([50.0]), np.array([9]), psf, (20, 25)).value
        for d in (0.01, -0.01)
    ]
    assert np.allclose(stamps.east, 50 * (moved[0].astype(float) - moved[1]) / 0.02, rtol=0, atol=5e-3)


def test_sums_over_stamps_are_those_over_whole_images() -> None:
    rng, shape = np.random.default_rng(3), (23, 30)
    position = np.array([[5.2, 6.1], [8.9, 7.4], [28.6, 11.0], [-1.2, 20.3], [15.0, 22.9]])
    amplitude, radius = rng.uniform(1, 9, 5), np.array([5, 4, 6, 3, 2])
    stamps = moffat_stamps(position, amplitude, radius, round_psf(3.0), shape, np.array([[0.9, 0.1], [-0.1, 1.1]]))
    weight, residual = rng.uniform(0, 1, (2, *shape))
    whole = np.zeros((5, 3, *shape))
    for k in range(5):
        profile, at = stamps.image_of(k)
        size = profile.size
        for q, values in enumerate((stamps.value, stamps.east, stamps.north)):
            whole[k, q][at] = values[stamps.start[k] : stamps.start[k] + size].reshape(profile.shape)
    assert np.allclose(stamps.model, np.einsum("k,kyx->yx", amplitude, whole[:, 0]), atol=1e-5)
    row, column = stamps.pairs()
    dense = np.zeros((5, 5, 3, 3))
    dense[np.repeat(np.arange(5), np.diff(row)), column] = stamps.blocks(weight, row, column)
    assert np.allclose(dense, np.einsum("kayx,yx,lbyx->klab", whole, weight, whole), atol=1e-12)
    gradient, border = stamps.border(weight, residual)
    globals_ = np.concatenate([stamps.shape, np.ones((1, *shape))])
    assert np.allclose(gradient, np.einsum("kayx,yx->ka", whole, weight * residual), atol=1e-12)
    assert np.allclose(border, np.einsum("kayx,yx,gyx->kag", whole, weight, globals_), atol=1e-12)
    square, seen = stamps.support(weight)
    assert np.allclose(square, (whole[:, 0] ** 2).sum((1, 2)))
    assert np.allclose(seen, (whole[:, 0] ** 2 * weight).sum((1, 2)))
    ok = weight > 0.3
    assert np.array_equal(stamps.core(ok), ((whole[:, 0] > 0.5) & ok).sum((1, 2)))
    limit = np.array([0.2, np.inf, 0.5, 0.1, np.inf])
    assert np.array_equal(stamps.above(limit), (whole[:, 0] > limit[:, None, None]).any(0))
    some = stamps.take(np.array([0, 1, 0, 1, 0], bool))
    assert np.array_equal(some.border(weight, residual)[0], gradient[[1, 3]])


def test_the_normal_equations_are_solved_as_if_the_matrix_were_dense() -> None:
    rng, n, stars, reference = np.random.default_rng(4), 3, 5, 1
    active = [np.arange(5), np.array([0, 2, 3]), np.array([1, 2, 3, 4])]
    size = n * stars + 2 * stars + 7 * n
    matrix, right, frames = np.zeros((size, size)), np.zeros(size), []
    for i, shown in enumerate(active):
        design, residual = rng.normal(size=(400, 3 * len(shown) + 5)), rng.normal(size=400)
        normal, gradient = design.T @ design, design.T @ residual
        k = len(shown)
        blocks = normal[: 3 * k, : 3 * k].reshape(k, 3, k, 3).swapaxes(1, 2).reshape(-1, 3, 3)
        border, own = normal[: 3 * k, 3 * k :].reshape(k, 3, 5), normal[3 * k :, 3 * k :]
        frames.append(
            FrameEquations(
                shown, k * np.arange(k + 1), np.tile(np.arange(k, dtype=np.int32), k), blocks, border,
                gradient[: 3 * k].reshape(k, 3), own, gradient[3 * k :],
            )
        )  # fmt: skip
        unknowns = np.zeros((design.shape[1], size))  # of this exposure, from all
        frame = (n + 2) * stars + 7 * i
        for j, star in enumerate(shown):
            unknowns[3 * j, i * stars + star] = 1
            for axis in range(2):
                unknowns[3 * j + 1 + axis, n * stars + 2 * star + axis] = 1
                unknowns[3 * j + 1 + axis, frame + 5 + axis] = i != reference
        unknowns[3 * k + np.arange(5), frame + np.arange(5)] = 1
        matrix += unknowns.T @ normal @ unknowns
        right += unknowns.T @ gradient
    sky = n * stars + np.arange(2 * stars)
    matrix[sky, sky] += POSITION_PRIOR
    free = np.diag(matrix) > 0
    expected = np.zeros(size)
    expected[free] = np.linalg.solve(matrix[np.ix_(free, free)], right[free])
    equations = Equations(frames, stars, reference)
    found = equations.normal.solve(np.array([right, 2 * right]), 1e-12, 400)
    assert np.allclose(found, [expected, 2 * expected], rtol=0, atol=1e-9)
    step = equations.step()
    assert np.allclose(step.frame.ravel(), expected[(n + 2) * stars :], rtol=0, atol=1e-3 * np.abs(expected).max())
    inverse = np.zeros((size, size))
    inverse[np.ix_(free, free)] = np.linalg.inv(matrix[np.ix_(free, free)])
    offset = (n + 2) * stars + 7 * np.arange(n)[:, None] + 5 + np.arange(2)
    covariance = inverse[np.ix_(offset.ravel(), offset.ravel())].reshape(n, 2, n, 2)
    assert np.allclose(equations.offset_covariance(), covariance, rtol=0, atol=1e-2 * covariance.max())


def test_the_last_one_out_restores_the_threads_of_linear_algebra() -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, "blas"):
        before = threads()
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(threads()) == {1}
        second.__exit__(None, None, None)
        assert threads() == before
    assert 2 in before
