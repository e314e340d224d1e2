"""The city's platform: what we push to it, and what it reports back."""
