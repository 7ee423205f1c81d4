"""A two-tier cache for Django: process memory over Redis or Valkey, kept in step."""

__version__ = "0.1.0.dev0"
