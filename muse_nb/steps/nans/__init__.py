"""Where every NaN of a cube comes from, and the way back to the detector."""
