"""The sample upstream: a small ASGI app, without Django, that serves real end-of-day prices."""
