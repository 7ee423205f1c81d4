"""Names: a text for each call of a function, the same in every process and Python version.

Two values have one text only if they are of one type and equal; 1, "1" and True differ. What has
no such text (a list, an object whose `repr` shows its address) is refused.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Model

from .keys import warns

LONGEST: Final = 200
"""Characters of a key; of a longer one only the beginning stays readable."""

DIGEST: Final = 32
"""Characters of the digest that stands for the rest."""

ALLOWED: Final = (
    "None, bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, UUID, "
    "enum members, classes, saved model instances, frozen dataclasses, objects with a "
    "__cache_key__ method, and tuples and frozensets of these"
)


class Unstable(TypeError):
    """A value that has no text by which every process would know it."""


def fit(name: str) -> str:
    """Return a name as a key that Django gives no warning for, and that is not too long.

    One that is neither is returned as it is; of others the readable beginning, and a digest of
    the whole.
    """
    if len(name) <= LONGEST and not warns(name):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:DIGEST]
    head = re.sub(r"[\x00-\x20\x7f]", "_", name[: LONGEST - DIGEST - 1])
    return f"{head}~{digest}"


# Values


def text_of(value: Any) -> str:
    """Return the text of a value.

    Raises:
        Unstable: it has none; the message says of what type it is.
    """
    plain = _PLAIN.get(type(value))
    return _other(value) if plain is None else plain(value)


def _quoted(text: str) -> str:
    # Not `repr`, which leaves what is printable, and that grows with Python's Unicode tables.
    return ascii(str.__str__(text)).replace(" ", "\\x20")


def _word(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else _quoted(name)


def _moment(value: dt.datetime) -> str:
    if value.utcoffset() is not None:
        value = value.astimezone(dt.UTC)
    return f"datetime({value.isoformat()})"


def _set_text(values: frozenset[Any]) -> str:
    return f"frozenset({','.join(sorted(map(text_of, values)))})"


def _span(value: dt.timedelta) -> str:
    return f"timedelta({value.days},{value.seconds},{value.microseconds})"


_PLAIN: Final[dict[type, Callable[[Any], str]]] = {
    str: _quoted,
    int: int.__repr__,
    bool: bool.__repr__,
    type(None): repr,
    float: float.__repr__,
    bytes: lambda value: bytes.__repr__(value).replace(" ", "\\x20"),
    Decimal: lambda value: f"Decimal({value})",
    dt.date: lambda value: f"date({value.isoformat()})",
    dt.time: lambda value: f"time({value.isoformat()})",
    dt.datetime: _moment,
    dt.timedelta: _span,
    UUID: lambda value: f"UUID({value})",
    tuple: lambda values: f"({''.join(f'{text_of(value)},' for value in values)})",
    frozenset: _set_text,
}


def _other(value: Any) -> str:
    """Return the text of what is not of a plain type itself."""
    if isinstance(value, type):
        return _path(value)
    if isinstance(value, enum.Enum):
        member = text_of(value.value) if value.name is None else value.name
        return f"{_path(type(value))}.{member}"
    if isinstance(value, Model):
        return _record(value)
    if callable(own := getattr(type(value), "__cache_key__", None)):
        return f"{_path(type(value))}({text_of(own(value))})"
    if is_dataclass(value) and _is_frozen(type(value)):
        parts = (f"{f.name}={text_of(getattr(value, f.name))}" for f in fields(value) if f.compare)
        return f"{_path(type(value))}({','.join(parts)})"
    for base in type(value).__mro__:
        if base in _PLAIN:
            return f"{_path(type(value))}:{_PLAIN[base](value)}"
    raise Unstable(f"of type {_path(type(value))}")


def _is_frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)


def _path(kind: type) -> str:
    if "<locals>" in kind.__qualname__:
        raise Unstable(f"of the class {kind.__qualname__}, which is made anew in each call")
    return f"{kind.__module__}.{kind.__qualname__}"


def _record(record: Model) -> str:
    """Return the text of a model instance: what it is in the database, not what it holds."""
    if record.pk is None or record._state.adding:
        raise Unstable(f"a {record._meta.label} that has not been saved")
    return f"{record._meta.label}({text_of(record.pk)})"


# Calls

_REST: Final = inspect.Parameter.VAR_KEYWORD
_MANY: Final = {inspect.Parameter.VAR_POSITIONAL, _REST}
_POSITIONAL: Final = inspect.Parameter.POSITIONAL_ONLY
_PLACED: Final = {_POSITIONAL, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class Call:
    """The arguments of calls of one function, by the names of its parameters.

    Args:
        function: the function; the signature is that of what it wraps, if it says so.

    Attributes:
        name: module and qualified name.
        parameters: names of the parameters, in order.
        takes_any: whether it takes further arguments by name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        inner = inspect.unwrap(function)
        self.name = f"{inner.__module__}.{inner.__qualname__}"
        self.signature = inspect.signature(function)
        kinds = {name: p.kind for name, p in self.signature.parameters.items()}
        self.parameters = tuple(kinds)
        self._rest = next((n for n, kind in kinds.items() if kind is _REST), None)
        self.takes_any = self._rest is not None
        self._plain = not set(kinds.values()) & _MANY
        self._placed = [n for n, kind in kinds.items() if kind in _PLACED]
        self._named = {n for n, kind in kinds.items() if kind is not _POSITIONAL}
        self._defaults = {
            name: p.default
            for name, p in self.signature.parameters.items()
            if p.default is not inspect.Parameter.empty
        }

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments by name, defaults filled in.

        Raises:
            TypeError: the function cannot be called with them.
        """
        # `Signature.bind` takes ten times as long, and says what is wrong with a call.
        if self._plain and len(args) <= len(self._placed) and self._named.issuperset(kwargs):
            given = dict(zip(self._placed, args, strict=False))
            if given.keys().isdisjoint(kwargs):
                arguments = {**self._defaults, **given, **kwargs}
                if len(arguments) == len(self.parameters):
                    return arguments
        return self._bound(args, kwargs).arguments

    def normal(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as one would call it with all of them, by place where possible."""
        bound = self._bound(args, kwargs)
        return bound.args, bound.kwargs

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as exc:
            raise TypeError(f"{self.name}(): {exc}") from None
        bound.apply_defaults()
        return bound

    def text(self, arguments: Mapping[str, Any], ignored: frozenset[str]) -> str:
        """Return the readable name of a call.

        Raises:
            TypeError: an argument has no text; the message says what to do.
        """
        parts = []
        for name in self.parameters:
            if name in ignored:
                continue
            value = arguments[name]
            if name == self._rest:
                parts += [
                    f"{_word(key)}={self._argument(key, value[key])}"
                    for key in sorted(value)
                    if key not in ignored
                ]
            else:
                parts.append(f"{name}={self._argument(name, value)}")
        return f"{self.name}({','.join(parts)})"

    def _argument(self, name: str, value: Any) -> str:
        try:
            return text_of(value)
        except Unstable as exc:
            raise self._refused(name, exc) from None

    def _refused(self, name: str, exc: Unstable) -> TypeError:
        if name in ("self", "cls"):
            return TypeError(
                f"@cached {self.name}(): {name} is {exc}, which has no text that is the same in "
                f"every process; allowed: ignore=({name!r},) if results do not depend on it, "
                f'key="…{{{name}.<attribute>}}…", or a __cache_key__ method in its class that '
                f"returns what tells its instances apart"
            )
        return TypeError(
            f"@cached {self.name}(): the argument {name!r} is {exc}, which has no text that is "
            f"the same in every process; allowed: {ALLOWED}. Or pass ignore=({name!r},) if "
            f'results do not depend on it, or a key of your own: key="…{{{name}.<attribute>}}…", '
            f"or key=a function of the same arguments that returns a text"
        )
