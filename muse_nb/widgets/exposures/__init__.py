"""The table of exposures."""
