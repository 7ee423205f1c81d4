"""Redis refused, silent, slow, read-only, full, loading: what the cache does meanwhile."""
