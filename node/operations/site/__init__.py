"""What administrators change while the node runs: calendar, hours, directory, prompts."""
