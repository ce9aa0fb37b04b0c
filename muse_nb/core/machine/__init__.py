"""What there is to work with: room on the disk and in memory, and other machines."""
