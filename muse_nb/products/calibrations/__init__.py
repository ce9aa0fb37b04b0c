"""Files of master calibrations."""
