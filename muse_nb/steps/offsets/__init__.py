"""How far the field moved between exposures: star positions, offsets, their errors and checks."""
