"""From raw calibrations to masters: what makes what, and which exposure it serves."""
