"""A night: when it begins, and what its log says."""
