"""The unit's inbox and people."""
