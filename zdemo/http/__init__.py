"""HTTP requests under one deadline that reveal no secret."""
