"""ESO's archive: find a night, fetch it with its calibrations. The only room that opens the network."""
