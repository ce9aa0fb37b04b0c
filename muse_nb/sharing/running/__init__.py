"""Notebooks run: a kernel of their own, parameters put in, what they read noted."""
