"""The answers that workers and machines share in the store of ``ZDEMO_CACHE_URL``."""
