"""The seat's desk."""
