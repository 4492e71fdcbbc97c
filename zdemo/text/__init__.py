"""What may be shown, and how: no secret, no control character."""
