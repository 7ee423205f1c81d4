"""What the admin's templates write figures with."""
