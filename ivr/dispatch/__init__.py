"""Calls come in, are placed, run to their end, and are recovered; what happens inside one is told by the flows."""
