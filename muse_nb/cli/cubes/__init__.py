"""Commands on a finished cube."""
