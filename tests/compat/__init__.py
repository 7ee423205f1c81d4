"""Beside django-redis on one server: the same bytes, the same answers, the same settings."""
