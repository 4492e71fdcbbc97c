"""Ask ZITADEL about a token, and hand the evidence to diagnosis."""
