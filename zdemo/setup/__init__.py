"""Connecting zdemo to a ZITADEL: look, plan, apply, and take away again."""
