"""Is this frame good: statistics of OBJECT_RED, compared within a frame and between its siblings."""
