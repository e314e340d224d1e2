"""The way in: log-in, invitation, home, one's own account."""
