"""What commands are given: read alike by all of them, and refused alike."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Final, NoReturn

from django.core.cache import DEFAULT_CACHE_ALIAS
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from tiercache import aliases
from tiercache.backend import TieredCache

WRONG: Final = 2
"""Exit status: wrong usage, or no server."""


def add_cache_option(parser: ArgumentParser) -> None:
    """Let a command be told which cache it is about."""
    parser.add_argument(
        "--cache",
        default=DEFAULT_CACHE_ALIAS,
        metavar="ALIAS",
        help="the cache's name in CACHES (%(default)s)",
    )


def cache_of(alias: str) -> TieredCache:
    """Return the cache of an alias; end the command with those there are if it is none of ours."""
    known = list(aliases.ours())
    if alias not in known:
        wrong(f"--cache is {alias!r}; allowed: {', '.join(known) or 'none, no cache is tiercache'}")
    try:
        return aliases.tiered(alias, "--cache")
    except ImproperlyConfigured as exc:
        wrong(str(exc).removesuffix("."))


def wrong(message: str) -> NoReturn:
    """End the command as one that was used wrongly."""
    raise CommandError(f"{message}.", returncode=WRONG)


def between(
    kind: type[int | float], least: float, most: float, unit: str
) -> Callable[[str], float]:
    """Return a reader of numbers within bounds, for `add_argument`; the unit is for the message."""

    def parse(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = kind(least - 1)
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text!r}; allowed: {least} to {most} {unit}")
        return number

    return parse
