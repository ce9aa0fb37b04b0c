"""A source handed on to the tools that model it: GalPaK3D, PampelMuse, ZAP."""
