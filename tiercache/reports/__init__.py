"""What nodes tell of themselves, and what is made of it: pure data, no Redis, no clock."""
