"""One running node: built from its rooms, connected, started and stopped; the operator's socket."""
