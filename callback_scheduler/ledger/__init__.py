"""Journal first, store second: the one thing that other rooms talk to about what we owe."""
