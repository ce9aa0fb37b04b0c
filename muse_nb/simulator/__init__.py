"""A small MUSE with known truth: raw frames, calibrations, products."""
