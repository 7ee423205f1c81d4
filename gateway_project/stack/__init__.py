"""What `manage.py gateway` starts: the processes, and the line that ends them together."""
