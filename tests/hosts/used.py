"""Uses the cache when it is imported: where that is before a fork, it is the parent's node."""

from __future__ import annotations

import os

from django.core.cache import cache

cache.set("imported", 1)
cache.get("imported")
cache.get("elsewhere")

PID = os.getpid()
NODE = cache._node.id
