"""The cube viewer."""
