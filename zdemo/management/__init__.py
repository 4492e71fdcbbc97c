"""ZITADEL's management API (v2): the only package that calls it."""
