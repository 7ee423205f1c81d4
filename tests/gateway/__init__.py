"""The gateway: its sample upstream, its fail-over, its routes and pages, and its one command."""
