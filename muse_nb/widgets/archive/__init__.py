"""Files of the archive, to choose from."""
