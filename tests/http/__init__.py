"""Caching decisions over header fields."""
