"""What the checks of a cube are made of: what is read of it, where its slices lie, the lines of the sky."""
