"""From a request to its answer: from the cache, or from an upstream server through it."""
