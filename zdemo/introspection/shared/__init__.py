"""Answers that workers and machines share in a Redis or Valkey, which is believed only as far as it can prove."""
