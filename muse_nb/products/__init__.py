"""What MUSE files are: read and write them, judge nothing."""
