"""Steps to Redis commands, and Redis's replies to answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from redis.exceptions import NoScriptError, ResponseError

from .steps import (
    NOT_AN_INTEGER,
    Exists,
    Expire,
    Found,
    Increment,
    Left,
    Probe,
    Read,
    Remove,
    Rename,
    Scan,
    ScanToRemove,
    Step,
    Store,
    Swap,
)

Command: TypeAlias = tuple[Any, ...]

_INCREMENT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""

_PERSIST: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('PERSIST', KEYS[1])
return 1
"""

_SWAP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""

# Redis names a script by the SHA-1 of its text (EVALSHA).
_SCRIPTS: Final = {
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text
    for text in (_INCREMENT, _PERSIST, _SWAP)
}
_NAMES: Final = {text: sha for sha, text in _SCRIPTS.items()}


def commands(step: Step) -> list[Command]:
    """Return the commands of a step, to be sent at once."""
    return _ENCODE[type(step)](step)


def unknown_scripts(sent: Sequence[Command], replies: Sequence[Any]) -> list[tuple[int, Command]]:
    """Return what the server did not run for want of the script's text, and where it stood.

    A restarted server, or one told SCRIPT FLUSH, knows the text again once it has run it.
    """
    return [
        (position, ("EVAL", _SCRIPTS[command[1]], *command[2:]))
        for position, (command, reply) in enumerate(zip(sent, replies, strict=True))
        if isinstance(reply, NoScriptError)
    ]


def answer(step: Step, replies: list[Any]) -> Any:
    """Return the answer of a step.

    Raises:
        ResponseError: what Redis replied to a command that it did not carry out.
    """
    decode = _DECODE.get(type(step))
    if decode is not None:
        return decode(replies)
    return _checked(replies[0])


def _script(text: str, key: str, *arguments: Any) -> list[Command]:
    return [("EVALSHA", _NAMES[text], 1, key, *arguments)]


def _checked(reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _read(step: Read) -> list[Command]:
    # MGET for one key as well: where GET is an error (a list, a set), it says nil.
    return [("MGET", *step.keys), *(("PTTL", key) for key in step.keys)]


def _found(replies: list[Any]) -> list[Found | None]:
    values, *lefts = map(_checked, replies)
    return [
        None if left == -2 else Found(raw, left) for raw, left in zip(values, lefts, strict=True)
    ]


def _store(step: Store) -> list[Command]:
    tail: Command = () if step.life is None else ("PX", step.life)
    if step.when:
        tail = (*tail, step.when)
    return [("SET", key, raw, *tail) for key, raw in step.items]


def _stored(replies: list[Any]) -> list[bool]:
    return [_checked(reply) is not None for reply in replies]


def _expire(step: Expire) -> list[Command]:
    if step.command != "TOUCH":
        argument = () if step.argument is None else (step.argument,)
        return [(step.command, step.key, *argument)]
    if step.argument is None:
        return _script(_PERSIST, step.key)
    return [("PEXPIRE", step.key, step.argument)]


def _increment(step: Increment) -> list[Command]:
    if step.create:
        return [("INCRBY", step.key, step.delta)]
    return _script(_INCREMENT, step.key, step.delta)


def _sum(replies: list[Any]) -> int | str | None:
    (reply,) = replies
    if isinstance(reply, ResponseError) and (
        "not an integer" in str(reply) or "would overflow" in str(reply)
    ):
        return NOT_AN_INTEGER
    total: int | None = _checked(reply)
    return total


def _renamed(replies: list[Any]) -> bool:
    (reply,) = replies
    if isinstance(reply, ResponseError) and "no such key" in str(reply):
        return False
    _checked(reply)
    return True


def _left(replies: list[Any]) -> int | None:
    left: int = _checked(replies[0])
    return None if left == -2 else left


def _scan(step: Scan) -> list[Command]:
    return [("SCAN", step.cursor, "MATCH", step.glob, "COUNT", step.count)]


def _scanned(replies: list[Any]) -> tuple[int, list[str]]:
    cursor, names = _checked(replies[0])
    keys = []
    for name in names:
        # Django's keys are text, so a name that is not UTF-8 is somebody else's.
        with suppress(UnicodeDecodeError):
            keys.append(name.decode())
    return int(cursor), keys


def _truth(replies: list[Any]) -> bool:
    return bool(_checked(replies[0]))


_ENCODE: Final[dict[type, Callable[[Any], list[Command]]]] = {
    Read: _read,
    Store: _store,
    Remove: lambda step: [("UNLINK", *step.keys)],
    Expire: _expire,
    Increment: _increment,
    Swap: lambda step: _script(_SWAP, step.key, step.old, step.new),
    Rename: lambda step: [("RENAME", step.old, step.new)],
    Exists: lambda step: [("EXISTS", *step.keys)],
    Left: lambda step: [("PTTL", *step.keys)],
    Scan: _scan,
    ScanToRemove: _scan,
    Probe: lambda step: [("SET", step.key, 1, "PX", 1000)],
}

_DECODE: Final[dict[type, Callable[[list[Any]], Any]]] = {
    Read: _found,
    Store: _stored,
    Expire: _truth,
    Increment: _sum,
    Swap: _truth,
    Rename: _renamed,
    Exists: _truth,
    Left: _left,
    Scan: _scanned,
    ScanToRemove: _scanned,
    Probe: _truth,
}
