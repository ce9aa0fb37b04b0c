"""One cube from all exposures: before, the engines, after."""
