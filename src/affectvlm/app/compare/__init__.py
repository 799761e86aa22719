"""Compare models."""
