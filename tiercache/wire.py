"""Steps to Redis commands, and Redis's replies to answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from redis.exceptions import NoScriptError, ResponseError

from . import scripts
from .messages import Post
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

AT_ONCE: Final = 1000
"""Keys that one script takes: Lua's stack holds some 8,000, and others wait while it runs."""


class Wire:
    """Makes commands. With a post, each change and its message to the nodes are one step.

    Args:
        post: where and as whom this node tells of changes, None where it does not.
    """

    def __init__(self, post: Post | None) -> None:
        self.post = post
        self._encode: dict[type, Callable[[Any], list[Command]]] = {
            Read: _read,
            Exists: lambda step: [("EXISTS", *step.keys)],
            Left: lambda step: [("PTTL", *step.keys)],
            Scan: _scan,
            ScanToRemove: _scan,
            Probe: lambda step: [("SET", step.key, 1, "PX", 1000)],
            Store: self._store,
            Remove: self._remove,
            Expire: self._expire,
            Rename: lambda step: [self._change("RENAME", step.keys)],
            Increment: self._increment,
            Swap: self._swap,
        }

    def commands(self, step: Step) -> list[Command]:
        """Return the commands of a step, to be sent at once."""
        return self._encode[type(step)](step)

    def _store(self, step: Store) -> list[Command]:
        tail: Command = () if step.life is None else ("PX", step.life)
        if step.when:
            tail = (*tail, step.when)
        if self.post is None:
            return [("SET", key, raw, *tail) for key, raw in step.items]
        if len(step.items) == 1:
            (_, raw), keys = step.items[0], step.keys
            return [scripts.run(scripts.SET, keys, *self.post.of(keys), raw, *tail)]
        return [
            scripts.run(
                scripts.SET_MANY,
                keys,
                *self.post.of(keys),
                "" if step.life is None else step.life,
                *[raw for _, raw in items],
            )
            for items in _parts(step.items)
            for keys in (tuple([key for key, _ in items]),)
        ]

    def _remove(self, step: Remove) -> list[Command]:
        return [self._change("UNLINK", keys) for keys in _parts(step.keys)]

    def _expire(self, step: Expire) -> list[Command]:
        if step.command != "TOUCH":
            argument = () if step.argument is None else (step.argument,)
            return [self._change(step.command, step.keys, *argument)]
        if step.argument is None:
            return [scripts.run(scripts.PERSIST, step.keys, *self._message(step.keys))]
        return [self._change("PEXPIRE", step.keys, step.argument)]

    def _increment(self, step: Increment) -> list[Command]:
        message = self._message(step.keys)
        create = 1 if step.create else ""
        return [scripts.run(scripts.INCREMENT, step.keys, *message, step.delta, create)]

    def _swap(self, step: Swap) -> list[Command]:
        message = self._message(step.keys)
        return [scripts.run(scripts.SWAP, step.keys, *message, step.old, step.new)]

    def _change(self, command: str, keys: tuple[str, ...], *arguments: Any) -> Command:
        if self.post is None:
            return (command, *keys, *arguments)
        return scripts.run(scripts.CHANGE, keys, *self.post.of(keys), command, *arguments)

    def message(self, keys: tuple[str, ...]) -> tuple[str, str] | None:
        """Return the channel and the message about these keys, None where nobody is told."""
        return None if self.post is None else self.post.of(keys)

    def _message(self, keys: tuple[str, ...]) -> tuple[str, str]:
        return self.message(keys) or ("", "")


def unknown_scripts(sent: Sequence[Command], replies: Sequence[Any]) -> list[tuple[int, Command]]:
    """Return what the server did not run for want of the script's text, and where it stood."""
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
    values, *lefts = map(_checked, replies)
    return [
        None if left == -2 else Found(raw, left) for raw, left in zip(values, lefts, strict=True)
    ]


def _stored(step: Store, replies: list[Any]) -> list[bool]:
    if len(replies) < len(step.items):
        # Scripts that write many write all of theirs.
        for reply in replies:
            _checked(reply)
        return [True] * len(step.items)
    return [_checked(reply) is not None for reply in replies]


def _removed(_: Remove, replies: list[Any]) -> int:
    return sum(map(_checked, replies))


def _sum(_: Increment, replies: list[Any]) -> int | str | None:
    (reply,) = replies
    if isinstance(reply, ResponseError) and (
        "not an integer" in str(reply) or "would overflow" in str(reply)
    ):
        return NOT_AN_INTEGER
    total = _checked(reply)
    return None if total is None else int(total)


def _renamed(_: Rename, replies: list[Any]) -> bool:
    (reply,) = replies
    if isinstance(reply, ResponseError) and "no such key" in str(reply):
        return False
    _checked(reply)
    return True


def _left(_: Left, replies: list[Any]) -> int | None:
    left: int = _checked(replies[0])
    return None if left == -2 else left


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
    Exists: _truth,
    Left: _left,
    Scan: _scanned,
    ScanToRemove: _scanned,
    Probe: _truth,
    Store: _stored,
    Remove: _removed,
    Expire: _truth,
    Rename: _renamed,
    Increment: _sum,
    Swap: _truth,
}
