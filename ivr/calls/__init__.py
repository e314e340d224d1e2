"""A call seen from the node: its legs and verbs, and what becomes of it."""
