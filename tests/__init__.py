"""The tests: what a cache is, what django-redis does, what happens when Redis is away."""
