"""Child processes that end with their parent; imports nothing of ours."""
