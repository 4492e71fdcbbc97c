"""What speaks to ZITADEL: introspection, and the API that an administrator uses."""
