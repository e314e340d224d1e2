"""The API for programs: what it answers is declared once, and OpenAPI, checks and answers come from that."""
