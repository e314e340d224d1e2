"""The web console: what supervisors, seats, units and administrators see and do; nobody imports it but hotline.py.

Imports go down only: `site`, then the rooms of the roles (entry, supervisor, unit, seat, wall, admin, api; none knows
another), `web`, `gate`, `visit`, then `rendering`, `http`, `people`, `errors`.
"""
