"""Who may do what: accounts, passwords, sessions, tokens, lock-out, audit log."""
