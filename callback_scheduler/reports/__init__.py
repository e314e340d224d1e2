"""What became of the orders of a period, counted from the store; changes nothing."""
