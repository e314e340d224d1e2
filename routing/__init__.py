"""Who should answer, and when; pure, no I/O."""
