"""The bad-pixel table's old address."""

from muse_nb.products.badpix_table import BadpixTable, Lookup

__all__ = ["BadpixTable", "Lookup"]
