"""What the recipes get wrong without a word: one list of checks, asked by a run, a step and the doctor."""
