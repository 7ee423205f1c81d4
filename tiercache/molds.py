"""Molds: equal values, each of one's own, without the look-ups that unpickling repeats each time.

To unpickle a response of Django's takes most of a hit in memory, and most of that are its classes,
which are imported by name each time. A mold holds one unpickled value that nobody else refers to,
and makes others like it: what is immutable in it they share, all else is made anew.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable
from sys import getsizeof
from typing import Any, Final, TypeAlias

Make: TypeAlias = Callable[[], Any]

PROTOCOL: Final = 4
"""The pickle protocol by whose rules it is seen how an object is made."""

DEEPEST: Final = 20
"""Levels of nesting that a mold has at most: to make a value must not run out of Python's stack."""

MAKER: Final = 300
"""Bytes accounted for a function that makes one object or container."""

GROWTH: Final = 4
"""How many times the bytes of the pickle a mold may account for, and `ROOM`.

A response with forty headers stays below it. Many small objects would take thirty times as much,
leave others no room, and be made not even twice as fast.
"""

ROOM: Final = 4096
"""Bytes that a mold may account for beyond `GROWTH`."""

PLAIN_NEWS: Final = (object.__new__, dict.__new__, list.__new__)
"""What makes instances of classes that have no `__new__` of their own."""


class Mold:
    """Makes values that are equal to one another and share nothing that can be changed.

    Safe for threads: what it is made of is never changed.

    Attributes:
        make: returns such a value.
    """

    __slots__ = ("_size", "make")

    def __init__(self, make: Make, size: int) -> None:
        self.make = make
        self._size = size

    def __sizeof__(self) -> int:
        return self._size


class _Unknown(Exception):
    """It is not known how such a value is made, or it would take too much."""


def mold(
    data: bytes,
    loads: Callable[[bytes], Any],
    dumps: Callable[[Any], bytes],
    size_of_atom: Callable[[Any], int | None],
) -> Mold | None:
    """Return a mold for a pickled value, None where none is known to be faithful; never raise.

    There are molds for objects that pickle makes in its plainest way (a new instance, then its
    `__dict__`; protocol 2 or later), made of such objects, of dicts and lists, and of what is
    immutable. Whether one is faithful is found out by pickling what it makes: any difference in
    what is there, and in what is the same object in two places, shows in the bytes. What cannot
    show there is refused: classes that make, restore or finalize their instances themselves.

    Args:
        data: the pickle.
        loads, dumps: unpickle and pickle.
        size_of_atom: returns the bytes that an immutable value takes, None if it is mutable.
    """
    # Containers of immutables are unpickled as fast as anything written in Python makes them.
    if pickle.NEWOBJ not in data:
        return None
    builder = _Builder(size_of_atom, GROWTH * len(data) + ROOM)
    try:
        value = loads(data)
        make = builder.maker(value)
        # The byte of NEWOBJ may have been a part of something else.
        if make is None or not builder.objects or dumps(make()) != dumps(value):
            return None
    except Exception:  # noqa: BLE001 - the site's own classes may raise anything; then there is none
        return None
    return Mold(make, builder.size)


class _Builder:
    """Finds out how a value is made.

    Args:
        size_of_atom: as in `mold`.
        most: bytes that may be held for it.

    Attributes:
        size: bytes that are held for it.
        objects: how many of its parts are neither containers nor immutable.
    """

    def __init__(self, size_of_atom: Callable[[Any], int | None], most: int) -> None:
        self.size = self.objects = self._depth = 0
        self._size_of_atom = size_of_atom
        self._most = most

    def maker(self, value: Any) -> Make | None:
        """Return what makes a value like this one, None for an immutable one, to be shared."""
        size = self._size_of_atom(value)
        if size is not None:
            self._account(size)
            return None
        if self._depth == DEEPEST:
            raise _Unknown
        self._account(getsizeof(value) + MAKER)
        self._depth += 1
        builds: dict[type, Callable[[Any], Make]] = {dict: self._dict, list: self._list}
        build = builds.get(type(value), self._object)
        make = build(value)
        self._depth -= 1
        return make

    def _account(self, size: int) -> None:
        self.size += size
        if self.size > self._most:
            raise _Unknown

    def _dict(self, value: dict[Any, Any]) -> Make:
        if any(self.maker(key) for key in value):
            raise _Unknown
        return _filled(value.copy, self._parts(value.items()))

    def _list(self, value: list[Any]) -> Make:
        return _filled(value.copy, self._parts(enumerate(value)))

    def _object(self, value: Any) -> Make:
        kind = type(value)
        if _has_its_own_way(value):
            raise _Unknown
        made, arguments, state, items, pairs = (*value.__reduce_ex__(PROTOCOL), None, None)[:5]
        plain = made is getattr(copyreg, "__newobj__") and arguments == (kind,)  # noqa: B009
        if not plain or isinstance(state, tuple) or any(map(_holds_any, (items, pairs))):
            raise _Unknown
        own = vars(value)
        self.objects += 1
        self._account(getsizeof(own))
        return _instance(kind, own, self._parts(own.items()))

    def _parts(self, items: Any) -> tuple[tuple[Any, Make], ...]:
        """Return where there is something to be made anew, and what makes it."""
        makers = ((place, self.maker(part)) for place, part in items)
        return tuple([(place, make) for place, make in makers if make is not None])


def _has_its_own_way(value: Any) -> bool:
    """Tell whether an object has a say in how it is pickled, made, restored or finalized."""
    kind = type(value)
    return (
        kind in copyreg.dispatch_table
        or kind.__new__ not in PLAIN_NEWS
        or hasattr(value, "__setstate__")  # pickle asks the instance, which may have a __getattr__
        or hasattr(kind, "__del__")
    )


def _holds_any(items: Any) -> bool:
    return items is not None and next(items, None) is not None


def _filled(copy: Make, parts: tuple[tuple[Any, Make], ...]) -> Make:
    """Return what makes a container: a copy, in which these parts are made anew."""
    if not parts:
        return copy

    def make() -> Any:
        new = copy()
        for place, part in parts:
            new[place] = part()
        return new

    return make


def _instance(kind: Any, own: dict[str, Any], parts: tuple[tuple[str, Make], ...]) -> Make:
    """Return what makes an instance, as pickle does: without its `__init__`."""
    new = kind.__new__
    if not own:
        return lambda: new(kind)

    def make() -> Any:
        instance = new(kind)
        state = instance.__dict__
        state.update(own)
        for name, part in parts:
            state[name] = part()
        return instance

    return make
