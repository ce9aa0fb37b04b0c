"""Is this cube good: numbers with limits, a sentence each, and a one-page report."""
