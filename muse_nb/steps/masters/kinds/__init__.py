"""What is measured of each kind of master, a module a kind."""
