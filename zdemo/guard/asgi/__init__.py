"""The guard of a Starlette or FastAPI app."""
