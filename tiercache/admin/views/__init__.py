"""The pages: each asks `operations`, and hands what it hears to a template."""
