"""Look at a cube: spectra of regions, bands as images, maps of lines."""
