"""Measurements of zdemo, each against a floor or a peer in the same run; ``python -m benchmarks`` prints the tables."""
