"""What an observer does, a folder a step: survey, inspect, nans, badpix, offsets, combine; doctor asks them all."""
