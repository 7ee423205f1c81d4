"""Warming up: the cache is filled before anybody asks, from a list, a sitemap, or what is popular.

`lists` and `sitemaps` read addresses, `planning` makes requests of them, `running` carries them
out at the pace of `pace`, `journal` remembers what is done, and `summary` tells what came of it.
"""
