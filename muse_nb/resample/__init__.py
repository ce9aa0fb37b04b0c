"""Pixel tables to cubes: the geometry, the kernels and the streaming in wavelength slabs."""
