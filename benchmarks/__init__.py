"""Load, latency and cost of the service, measured against the targets of docs/benchmarks.md."""
