"""The unit's inbox and people. Stands on `visit`; knows no other role's room."""
