"""Whether an answer is as it must be. Pure: an answer goes in, a verdict comes out."""
