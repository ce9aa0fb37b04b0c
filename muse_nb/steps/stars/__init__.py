"""Spectra of all stars of a cube at once, by fits of their common profile in every plane."""
