"""zdemo: see, test and debug how an API checks ZITADEL access tokens."""

__version__ = "0.1.0"
