"""The seat's desk. Stands on `visit`; knows no other role's room."""
