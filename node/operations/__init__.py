"""What people may see and do on a node, from the console and from the operator's socket."""
