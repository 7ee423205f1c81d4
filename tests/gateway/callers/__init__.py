"""Callers: their keys, their limits, and what is said about both."""
