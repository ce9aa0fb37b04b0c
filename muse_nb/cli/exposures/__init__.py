"""Commands on the exposures of a target: from OBJECT_RED to one cube."""
