"""What happened, in Redis: scripts, orders, records, leases, search, and the server of our own; decides no rule."""
