"""What outlives a run: a directory with the database, its staff user and the secret key."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key
from django.db import connections

STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Staff:
    """The staff user; the password is known only where it was just made."""

    name: str
    password: str | None


def make(directory: Path) -> None:
    """Make the directory if it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    # The directory keeps itself out of version control, wherever the variable puts it.
    (directory / ".gitignore").write_text("*\n", encoding="ascii")


@contextmanager
def told_redis(directory: Path, url: str) -> Generator[None]:
    """Keep the address of the Redis in use in the directory, readable by its owner alone.

    So that commands beside a gateway that runs use the same. It goes when the block ends.
    """
    file = directory / "redis-url"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(url, encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def prepare(*, reset_password: bool) -> Staff:
    """Make what is missing in the database: its tables, the staff user."""
    call_command("migrate", verbosity=0, interactive=False)
    staff = _staff(reset_password=reset_password)
    connections.close_all()
    return staff


def secret_key(directory: Path) -> str:
    """Return the key kept in the directory, made on first use and readable by its owner alone."""
    file = directory / "secret-key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(get_random_secret_key(), encoding="ascii")
    return file.read_text(encoding="ascii")


def _staff(*, reset_password: bool) -> Staff:
    user, created = get_user_model().objects.get_or_create(
        username=STAFF, defaults={"is_staff": True, "is_superuser": True}
    )
    if not (created or reset_password):
        return Staff(STAFF, None)
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save()
    return Staff(STAFF, password)
