"""How near the recipes' products come to the truth of a simulated night."""
