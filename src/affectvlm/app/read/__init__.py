"""Read a scan."""
