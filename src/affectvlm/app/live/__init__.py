"""Live faces."""
