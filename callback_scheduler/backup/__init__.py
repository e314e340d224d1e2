"""One archive of a node's data, made and restored; knows files and the journal, and no rule."""
