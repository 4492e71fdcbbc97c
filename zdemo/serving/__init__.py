"""Run a WSGI application: embedded in a with block, or in production on Granian."""
