"""What the caller hears: door, lines, calls and their flows."""
