"""The axes of images and cubes: the sky, and WCS objects of what headers say."""
