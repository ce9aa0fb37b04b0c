"""A simulated night, from raw frames to a combined cube and rendered notebooks."""
