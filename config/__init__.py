"""What a site sets: the schema, and the files it is filled from."""
