"""The web console: what supervisors, seats, units and administrators see and do; nobody imports it but hotline.py."""
