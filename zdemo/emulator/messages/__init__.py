"""ZITADEL's methods and messages as data, for requests, answers and their rules."""
