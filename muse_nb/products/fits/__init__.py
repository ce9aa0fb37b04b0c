"""FITS as bytes: blocks, cards, binary tables and planes, where astropy would hold the whole file."""
