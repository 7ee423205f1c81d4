"""The gateway project's commands."""
