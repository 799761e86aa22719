"""Ask in words."""
