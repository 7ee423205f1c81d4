"""The record of evictions: a row in the site's database, a line in its log, a signal.

The cache has to be steered when the database is away as well: then there is no row, which is said.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, InterfaceError, router, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tiercache import signals
from tiercache.backend import TieredCache

from .tokens import TokenUsed

if TYPE_CHECKING:
    from tiercache.models import Eviction

    from .outcomes import Outcome

logger = logging.getLogger("tiercache")

EVENT: Final = "tiercache.evicted"

Origin: TypeAlias = Literal["page", "command", "API"]

LONGEST_ERROR: Final = 1000
"""Characters of an error that are kept."""

USED: Final = gettext_lazy("This confirmation has been used before; nothing was evicted again.")

KEPT_NONCES: Final = 600.0
"""Seconds for which nonces are remembered here where no table does: twice a token's life."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whose doing it is.

    Attributes:
        name: the user's name.
        id: the user's primary key as text, "" where there is none.
    """

    name: str
    id: str = ""


@dataclass(slots=True)
class Record:
    """An eviction that has begun.

    Attributes:
        facts: what is known of it from the beginning, as the log and signals tell it.
        row: its row, None where there is none.
        audited: True, or why there is no row.
    """

    facts: dict[str, Any]
    row: Eviction | None
    audited: bool | str


def note(cache: str, selection: str, actor: Actor, origin: Origin, *, removed: int) -> bool | str:
    """Record an eviction that the site's own code has carried out, from both tiers.

    A row, a line in the log, `signals.evicted`. Nobody has been asked to confirm it.

    Args:
        selection: what was evicted, in words.
        removed: how many keys, or tags that were known.

    Returns:
        True, or why there is no row.
    """
    record = begin(cache, selection, "all", actor, origin)
    _update(record, removed=removed)
    facts = record.facts | {"removed": removed, "dropped": None, "confirmed": (), "silent": ()}
    _log(logging.INFO, facts)
    signals.evicted.send_robust(TieredCache, **facts)
    return record.audited


def begin(
    cache: str,
    selection: str,
    tier: str,
    actor: Actor,
    origin: Origin,
    *,
    previewed: int | None = None,
    nonce: str | None = None,
) -> Record:
    """Write that an eviction is about to be done; use the nonce up.

    Raises:
        TokenUsed: the nonce has been used before.
    """
    facts = {
        "cache": cache,
        "selection": selection,
        "tier": tier,
        "actor": actor.name,
        "origin": origin,
    }
    record = Record(facts, None, audited=True)
    if apps.is_installed("tiercache"):
        with _tolerant(record):
            record.row = _insert(facts, actor_id=actor.id, previewed=previewed, nonce=nonce)
    else:
        record.audited = _("“tiercache” is not in INSTALLED_APPS, so there is no audit table")
    if record.row is None and nonce is not None:
        _nonces.use(nonce)
    return record


def finish(record: Record, outcome: Outcome) -> None:
    """Write what came of an eviction, log it, and send `signals.evicted`."""
    _update(
        record,
        removed=outcome.removed,
        dropped=outcome.dropped,
        asked=outcome.asked,
        confirmed=len(outcome.confirmed),
        silent=", ".join(outcome.names.get(node, node) for node in outcome.silent),
        seconds=outcome.seconds,
        error=outcome.reason[:LONGEST_ERROR],
    )
    facts = record.facts | {
        "removed": outcome.removed,
        "dropped": outcome.dropped,
        "confirmed": outcome.confirmed,
        "silent": outcome.silent,
    }
    _log(logging.INFO if outcome.complete else logging.WARNING, facts)
    signals.evicted.send_robust(TieredCache, **facts)


def fail(record: Record, error: BaseException, *, removed: int) -> None:
    """Write that an eviction was ended by an error or by Ctrl-C, and how far it came."""
    text = str(error) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        text = _("interrupted")
    _update(record, removed=removed, error=text[:LONGEST_ERROR])
    _log(logging.ERROR, record.facts | {"removed": removed, "error": text})


def _insert(facts: dict[str, Any], *, nonce: str | None, **more: Any) -> Eviction:
    # Only where the app is installed can a model be defined.
    from tiercache.models import Eviction

    row = Eviction(**{**facts, "actor": facts["actor"][:150]}, nonce=nonce, **more)
    try:
        # In a transaction of its own: one that the caller is in survives a nonce that was used.
        with transaction.atomic(using=router.db_for_write(Eviction)):
            row.save(force_insert=True)
    except IntegrityError as exc:
        if nonce is None:
            raise
        raise TokenUsed(USED) from exc
    return row


def _update(record: Record, **values: Any) -> None:
    if record.row is None:
        return
    for name, value in values.items():
        setattr(record.row, name, value)
    with _tolerant(record):
        record.row.save(update_fields=list(values))


@contextmanager
def _tolerant(record: Record) -> Iterator[None]:
    """Go on without a row where there is no table for it, and say so."""
    try:
        yield
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as exc:
        record.audited = _("the audit cannot be written: %s") % exc
        logger.warning("tiercache.audit.failed: %s", exc, extra={"event": "tiercache.audit.failed"})


def _log(level: int, facts: dict[str, Any]) -> None:
    # LogRecords have attributes of their own that `extra` must not overwrite.
    logger.log(
        level,
        "%s: %s of cache %s by %s (%s): %s keys removed",
        EVENT,
        facts["selection"],
        facts["cache"],
        facts["actor"],
        facts["origin"],
        facts["removed"],
        extra={"event": EVENT, **facts},
    )


class _Nonces:
    """What this process has seen used, where no table remembers it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: dict[str, tuple[float, object]] = {}

    def use(self, nonce: str) -> None:
        """Remember a nonce; raise `TokenUsed` if it is remembered."""
        mine, used = (self._clock(), object()), self._used
        for name in [name for name, (at, _mark) in [*used.items()] if mine[0] - at > KEPT_NONCES]:
            used.pop(name, None)
        # One step, so that only one of two threads finds it new.
        if used.setdefault(nonce, mine) is not mine:
            raise TokenUsed(USED)


_nonces = _Nonces()
