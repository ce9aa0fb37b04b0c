"""What every room needs and no astronomy is in: errors, text, files that appear whole, processes, progress."""
