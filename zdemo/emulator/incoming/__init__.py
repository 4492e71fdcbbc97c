"""A request before its endpoint: the instance that it is for, its body, and what is recorded about it."""
