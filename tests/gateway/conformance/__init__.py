"""What a shared cache does by RFC 9111, as the public suite http-cache-tests asks it."""
