"""The templates and texts that pages are drawn from, in both languages; they are given values, never a visit."""
