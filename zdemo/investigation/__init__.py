"""Ask ZITADEL about a token or an API's answer, and hand the evidence to diagnosis."""
