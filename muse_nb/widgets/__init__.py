"""The steps, to click."""
