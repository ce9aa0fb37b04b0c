"""The OBJECT_RED viewer."""
