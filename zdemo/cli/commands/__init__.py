"""One module for each command, with its options, its body and what it shows."""
