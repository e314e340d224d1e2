"""What the line says: prompts, their texts, and the voice that speaks them."""
