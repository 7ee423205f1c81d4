"""What a cache backend must do: Django's own suite, and ours over every combination of tiers."""
