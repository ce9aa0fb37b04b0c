"""What is installed: what muse_nb needs, what it can use, what this machine has."""
