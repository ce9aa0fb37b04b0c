"""Commands on notebooks, and the demo."""
