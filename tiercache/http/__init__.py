"""HTTP caching as decisions over header fields: no framework, no socket, no clock of its own.

RFC 9111 (caching), 5861 (stale content), 9110 (semantics) and 9211 (Cache-Status), for a cache
that is shared. Usable from any view, middleware or gateway.
"""
