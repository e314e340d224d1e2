"""What we owe: orders, their deadlines, and where they are kept."""
