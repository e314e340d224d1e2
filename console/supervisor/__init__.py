"""What the supervisor's pages are made of: pure functions from reports and orders to what a page shows."""
