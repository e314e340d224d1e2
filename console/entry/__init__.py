"""The way in: log-in, invitation, home, one's own account. Stands on `visit`; knows no other role's room."""
