"""What would go wrong without a word in a folder."""
