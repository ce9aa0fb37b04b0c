"""Commands on a folder of files: what is there, and from raw frames to products."""
