"""Serve WSGI applications: embedded in a process, or in production on Granian."""
