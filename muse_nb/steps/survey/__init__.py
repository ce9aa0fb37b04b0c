"""What is there: the files of a night, its exposures, what is missing."""
