"""Token introspection (RFC 7662): what ZITADEL says about a token, and how asking stays fast and safe."""
