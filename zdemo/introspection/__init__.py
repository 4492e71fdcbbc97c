"""Token introspection (RFC 7662), and how it stays fast and safe."""
