"""What zdemo costs, measured against a floor or a peer in the same run; ``python -m benchmarks`` prints the tables."""
