"""The ESO pipeline: frame sets, a recipe in a process of its own, logs and progress."""
