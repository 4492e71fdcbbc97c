"""ZITADEL's answers, which workers and machines share in a Redis or Valkey that need not be trusted."""
