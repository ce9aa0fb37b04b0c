"""Radial velocities of stars, a first look: members from field stars, and a test of the wavelengths."""
