"""Steps to Redis commands, and Redis's replies to answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import NoScriptError, ResponseError

from . import scripts
from .header import MARK
from .keys import COUNTS, lease_of
from .line import Command
from .messages import Post
from .steps import (
    NOT_AN_INTEGER,
    TAGS_CHANGED,
    Ask,
    Call,
    Expire,
    Extend,
    Found,
    Increment,
    Numbers,
    Peek,
    Peeked,
    Probe,
    Read,
    Release,
    Remove,
    Rename,
    Scan,
    ScanToRemove,
    Several,
    Soften,
    Step,
    Store,
    Swap,
    Tags,
    Take,
    Taken,
)

AT_ONCE: Final = 1000
"""Keys that one script takes: Lua's stack holds some 8,000, and others wait while it runs."""

AFTERLIFE: Final = 600_000
"""Milliseconds for which a lease is kept after its end: a load that outlives its lease is stored
all the same if nobody else has begun one, and nothing has changed."""

_MILLISECONDS: Final = {
    "EXPIRE": ("PEXPIRE", 1000),
    "PEXPIRE": ("PEXPIRE", 1),
    "EXPIREAT": ("PEXPIREAT", 1000),
    "PEXPIREAT": ("PEXPIREAT", 1),
    "TOUCH": ("PEXPIRE", 1),
}


class Wire:
    """Makes commands. With a post, each change and its message to the nodes are one step.

    Args:
        post: where and as whom this node tells of changes, None where it does not.
    """

    def __init__(self, post: Post | None) -> None:
        self.post = post
        self._encode: dict[type, Callable[[Any], list[Command]]] = {
            Read: _read,
            Peek: lambda step: [("PTTL", *step.keys), ("GETRANGE", *step.keys, 0, 0)],
            Ask: lambda step: list(step.commands),
            Scan: _scan,
            ScanToRemove: _scan,
            Probe: lambda step: [("SET", step.key, 1, "PX", 1000)],
            Store: self._store,
            Remove: self._remove,
            Soften: self._soften,
            Expire: self._expire,
            Rename: lambda step: [self._change(scripts.RENAME, step.keys)],
            Increment: self._increment,
            Swap: lambda step: [self._change(scripts.SWAP, step.keys, step.old, step.new)],
            Take: _take,
            Release: self._release,
            Extend: self._extend,
            Several: lambda step: [one for each in step.steps for one in self.commands(each)],
            Tags: lambda step: [scripts.run(scripts.TAGS, (*COUNTS, *step.tags))],
        }

    def commands(self, step: Step) -> list[Command]:
        """Return the commands of a step, to be sent at once."""
        return self._encode[type(step)](step)

    def names(self, step: Step) -> tuple[str, ...]:
        """Return the names of the commands of a step, for telemetry."""
        if isinstance(step, Call):
            # django-redis's calls are named as their commands; "sscan_iter" is made of SSCANs.
            return (step.function.__name__.partition("_")[0].upper(),)
        return tuple([command[0] for command in self.commands(step)])

    def afterwards(self, step: Call) -> list[Command]:
        """Return what has to be one transaction with a command of the step, nothing if it reads."""
        if not step.writes:
            return []
        ended: list[Command] = [("UNLINK", *map(lease_of, step.keys))]
        return ended if self.post is None else [*ended, ("PUBLISH", *self.post.of(step.keys))]

    def _store(self, step: Store) -> list[Command]:
        life = "" if step.life is None else step.life
        if step.when or step.tags or step.token is not None:
            names, numbers = tuple([n for n, _ in step.tags]), [n for _, n in step.tags]
            return [
                self._change(
                    scripts.STORE,
                    (key,),
                    raw,
                    life,
                    step.when,
                    step.token or "",
                    *numbers,
                    also=names,
                )
                for key, raw in step.items
            ]
        if len(step.items) == 1:
            ((key, raw),) = step.items
            tail = () if step.life is None else ("PX", step.life)
            return [self._change(scripts.SET, (key,), raw, *tail)]
        return [
            self._change(
                scripts.SET_MANY, tuple([key for key, _ in items]), life, *[raw for _, raw in items]
            )
            for items in _parts(step.items)
        ]

    def _remove(self, step: Remove) -> list[Command]:
        script, also = (scripts.EVICT, COUNTS[1:]) if step.evicts else (scripts.REMOVE, ())
        return [self._change(script, keys, also=also) for keys in _parts(step.keys)]

    def _soften(self, step: Soften) -> list[Command]:
        return [self._change(scripts.SOFTEN, keys, also=COUNTS) for keys in _parts(step.keys)]

    def _expire(self, step: Expire) -> list[Command]:
        if step.argument is None:
            return [self._change(scripts.EXPIRE, step.keys, step.command)]
        command, scale = _MILLISECONDS[step.command]
        return [self._change(scripts.EXPIRE, step.keys, command, step.argument * scale)]

    def _increment(self, step: Increment) -> list[Command]:
        create = 1 if step.create else ""
        return [self._change(scripts.INCREMENT, step.keys, step.delta, create)]

    def _release(self, step: Release) -> list[Command]:
        return [self._change(scripts.RELEASE, (step.key,), step.token, step.rest, AFTERLIFE)]

    def _extend(self, step: Extend) -> list[Command]:
        life = "" if step.life is None else step.life
        return [self._change(scripts.EXTEND, step.keys, step.token, life)]

    def _change(
        self, script: str, keys: tuple[str, ...], *arguments: Any, also: tuple[str, ...] = ()
    ) -> Command:
        """Return the command that changes keys, ends their loads, and tells of it."""
        message = ("", "") if self.post is None else self.post.of(keys)
        return scripts.run(script, (*keys, *map(lease_of, keys), *also), *message, *arguments)


def unknown_scripts(sent: Sequence[Command], replies: Sequence[Any]) -> list[tuple[int, Command]]:
    """Return what the server did not run for want of the script's text, and where it stood."""
    if NoScriptError not in map(type, replies):
        return []
    return [
        (position, scripts.run_with_text(command))
        for position, (command, reply) in enumerate(zip(sent, replies, strict=True))
        if isinstance(reply, NoScriptError)
    ]


def answer(step: Step, replies: list[Any]) -> Any:
    """Return the answer of a step.

    Raises:
        ResponseError: what Redis replied to a command that it did not carry out.
    """
    return _DECODE[type(step)](step, replies)


def _parts(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _checked(reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _read(step: Read) -> list[Command]:
    # MGET for one key as well: where GET is an error (a list, a set), it says nil.
    return [("MGET", *step.keys), *(("PTTL", key) for key in step.keys)]


def _found(_: Read, replies: list[Any]) -> list[Found | None]:
    for reply in replies:
        _checked(reply)
    return [
        None if left == -2 else Found(raw, left)
        for raw, left in zip(replies[0], replies[1:], strict=True)
    ]


def _stored(step: Store, replies: list[Any]) -> list[bool | str]:
    if len(replies) < len(step.items):
        # Scripts that write many write all of theirs.
        for reply in replies:
            _checked(reply)
        return [True] * len(step.items)
    return [TAGS_CHANGED if _checked(reply) == -1 else bool(reply) for reply in replies]


def _removed(_: Remove | Soften, replies: list[Any]) -> int:
    return sum(map(_checked, replies))


def _sum(_: Increment, replies: list[Any]) -> int | str | None:
    (reply,) = replies
    if isinstance(reply, ResponseError) and (
        "not an integer" in str(reply) or "would overflow" in str(reply)
    ):
        return NOT_AN_INTEGER
    total = _checked(reply)
    return None if total is None else int(total)


def _peeked(_: Peek, replies: list[Any]) -> Peeked | None:
    left, head = replies
    # What is no string has no first byte to be asked for, and no header.
    return None if _checked(left) == -2 else Peeked(left, head == MARK)


def _take(step: Take) -> list[Command]:
    keys = (step.key, lease_of(step.key), *COUNTS, *step.tags)
    return [scripts.run(scripts.TAKE, keys, step.token, step.life, step.over, AFTERLIFE)]


def _taken(_: Take, replies: list[Any]) -> Taken:
    mine, lease, raw, left, numbers = _checked(replies[0])
    found = None if left == -2 else Found(raw, left)
    return Taken(bool(mine), lease, found, _numbers(numbers))


def _numbers(reply: list[Any]) -> Numbers:
    count, evictions, *pairs = reply
    found = [Found(raw, left) for raw, left in zip(pairs[::2], pairs[1::2], strict=True)]
    return Numbers(found, int(count), int(evictions))


def _scan(step: Scan) -> list[Command]:
    return [("SCAN", step.cursor, "MATCH", step.glob, "COUNT", step.count)]


def _scanned(_: Scan, replies: list[Any]) -> tuple[int, list[str]]:
    cursor, names = _checked(replies[0])
    keys = []
    for name in names:
        # Django's keys are text, so a name that is not UTF-8 is somebody else's.
        with suppress(UnicodeDecodeError):
            keys.append(name.decode())
    return int(cursor), keys


def _truth(_: Step, replies: list[Any]) -> bool:
    return bool(_checked(replies[0]))


_DECODE: Final[dict[type, Callable[[Any, list[Any]], Any]]] = {
    Read: _found,
    Peek: _peeked,
    Ask: lambda _, replies: replies,
    Scan: _scanned,
    ScanToRemove: _scanned,
    Probe: _truth,
    Store: _stored,
    Remove: _removed,
    Soften: _removed,
    Expire: _truth,
    Rename: _truth,
    Increment: _sum,
    Swap: _truth,
    Take: _taken,
    Release: _truth,
    Extend: _truth,
    Several: lambda step, replies: tuple(
        answer(each, [reply]) for each, reply in zip(step.steps, replies, strict=True)
    ),
    Tags: lambda _, replies: _numbers(_checked(replies[0])),
}
