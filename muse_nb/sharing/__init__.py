"""Rendered notebooks that open anywhere."""
