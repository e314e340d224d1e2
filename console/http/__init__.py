"""Requests and responses as plain records, and what every one of them passes: routes, forms, security, events."""
