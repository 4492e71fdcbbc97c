"""Who is let in: the decision, the cache before ZITADEL, and the guards of Flask and of ASGI."""
