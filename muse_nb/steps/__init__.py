"""What an observer does, one module a step: survey, inspect, nans, stars, offsets, combine."""
