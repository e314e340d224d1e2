"""Who is told of an order: outbox, courier, webhook and mail; what is told was decided before."""
