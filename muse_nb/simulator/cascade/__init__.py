"""Raw calibrations and science of a night, from which ESO's recipes make everything; with the truth beside them."""
