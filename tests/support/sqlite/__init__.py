"""A database engine for the tests: Django looks for what is in `base`."""
