"""One HTTP request under one deadline, giving nothing away."""
