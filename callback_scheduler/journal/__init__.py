"""What happened, on disk first: records appended, chained and read again; what they mean is nothing to it."""
