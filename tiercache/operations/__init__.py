"""What an operator sees and does: each once, for pages, commands and metrics."""
