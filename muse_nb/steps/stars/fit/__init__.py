"""The fit of all stars: what it measures of the white light, of bins of wavelength, and of every plane."""
