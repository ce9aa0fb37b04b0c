"""Facts of light: wavelengths in air and vacuum, the lines of stars."""
