"""The NaN viewer."""
