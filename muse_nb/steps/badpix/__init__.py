"""What a bad-pixel table costs and saves, and a better one."""
