"""What the tests share: real servers, a proxy, waiting for a condition, Django's own suite."""
