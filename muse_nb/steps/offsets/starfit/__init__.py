"""One fit of all stars to all images at once: offsets of exposures at the photon-noise bound."""
