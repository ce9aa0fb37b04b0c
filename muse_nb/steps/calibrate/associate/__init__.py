"""Which calibration serves which exposure: raw files read, put into templates, judged, and chosen from."""
