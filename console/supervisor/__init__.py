"""The supervisor's pages, and the pure functions from reports and orders to what they show. Stands on `visit`."""
