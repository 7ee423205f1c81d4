"""What `key` and `tags` of a decorator say: templates, and functions of the arguments."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any, Final, TypeAlias
from uuid import UUID

from .loading import as_names
from .naming import ALLOWED, Call, Unstable, fit, text_of

Key: TypeAlias = str | Callable[..., str] | None
"""A template, a function of the arguments, or None for a name made of all arguments."""

Tags: TypeAlias = Iterable[str] | Callable[..., Iterable[str]]
"""Names or templates, or a function of the arguments that returns names."""

_WRITTEN: Final = {int, bool, float, type(None), Decimal, UUID, date}


class Template:
    """A text with fields such as `{symbol}`, `{user.pk}` and `{at:%Y-%m}`, filled from arguments.

    Args:
        text: the template, as for `str.format`.
        call: whose arguments it is filled from.
        what: the option that it is, for messages.
        apart: whether different values must give different texts; the character that ends a
            field is escaped in its value then ("%3A" for ":").

    Raises:
        ValueError: it names what is no argument, or cannot be read.
    """

    def __init__(self, text: str, call: Call, what: str, *, apart: bool) -> None:
        self._where = f"{what} {text!r} of {call.name}()"
        self._apart = apart
        try:
            self._parts = list(Formatter().parse(text))
        except ValueError as exc:
            raise ValueError(f"{self._where}: {exc}") from None
        self._ends = [literal[:1] for literal, *_ in self._parts[1:]] + [""]
        fields = [field for _, field, _, _ in self._parts if field is not None]
        self._check(call, fields)

    def _check(self, call: Call, fields: list[str]) -> None:
        for field in fields:
            if re.split(r"[.\[]", field)[0] not in call.parameters:
                allowed = ", ".join(call.parameters) or "none, as there are no arguments"
                raise ValueError(f"{self._where} names {field!r}; allowed: {allowed}")
        for at, (_, _, _, conversion) in enumerate(self._parts):
            if conversion is not None:
                raise ValueError(f"{self._where} has !{conversion}; allowed: fields without it")
            if self._apart and not self._ends[at] and at + 1 < len(self._parts):
                raise ValueError(
                    f"{self._where} has nothing between two fields; allowed: fields with a "
                    f"separator, or different calls could have one key"
                )

    def fill(self, arguments: Mapping[str, Any]) -> str:
        """Return the text for these arguments.

        Raises:
            TypeError: a value has no text that is the same in every process.
        """
        filled = []
        for (literal, field, spec, _), end in zip(self._parts, self._ends, strict=True):
            filled.append(literal)
            if field is not None:
                value = Formatter().get_field(field, (), arguments)[0]
                text = format(value, spec) if spec else self._bare(field, value)
                filled.append(_escaped(text, end) if self._apart else text)
        return "".join(filled)

    def _bare(self, field: str, value: Any) -> str:
        """Return a value as one would write it by hand."""
        if isinstance(value, enum.Enum) and isinstance(value.value, str | int):
            return str(value.value)
        if isinstance(value, str):
            return str.__str__(value)
        try:
            stable = text_of(value)
        except Unstable as exc:
            raise TypeError(
                f"{self._where}: {field!r} is {exc}, which has no text that is the same in every "
                f"process; allowed: {ALLOWED}; name an attribute of it that is one of these"
            ) from None
        return str(value) if type(value) in _WRITTEN else stable


def _escaped(text: str, end: str) -> str:
    """Let a field's value not look as if the field ended inside it."""
    if not end or (end not in text and "%" not in text):
        return text
    return text.replace("%", "%25").replace(end, f"%{ord(end):02X}")


# What the decorators ask


def key_namer(
    function: Callable[..., Any], call: Call, key: Key, ignore: tuple[str, ...]
) -> Callable[[tuple[Any, ...], Mapping[str, Any]], str]:
    """Return a function that gives the key of a call.

    Raises:
        TypeError, ValueError: the options cannot be; or the function's name alone does not say
            which function it is, and there is no key.
    """
    if key is None:
        _check_name(function, call)
        ignored = _ignored(call, ignore)
        return lambda args, kwargs: fit(call.text(call.bind(args, kwargs), ignored))
    if ignore:
        raise TypeError(f"@cached {call.name}(): ignore={ignore!r} has no meaning with a key")
    if isinstance(key, str):
        if not key:
            raise ValueError(f"@cached {call.name}(): key is ''; allowed: a text, not empty")
        template = Template(key, call, "the key", apart=True)
        return lambda args, kwargs: fit(template.fill(call.bind(args, kwargs)))
    if not callable(key):
        raise TypeError(
            f"@cached {call.name}(): key is {key!r}; allowed: a text, which may name arguments "
            f'("price:{{symbol}}"), or a function of the arguments that returns one'
        )
    custom = key

    def computed(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        positional, named = call.normal(args, kwargs)
        text = custom(*positional, **named)
        if not isinstance(text, str) or not text:
            raise TypeError(
                f"@cached {call.name}(): its key function returned {text!r}; allowed: a text, "
                f"not empty"
            )
        return fit(text)

    return computed


def tag_namer(
    call: Call, tags: Tags
) -> Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[str, ...]]:
    """Return a function that names the tags of a call.

    Raises:
        TypeError, ValueError: they cannot be.
    """
    if callable(tags):
        custom = tags

        def computed(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
            positional, named = call.normal(args, kwargs)
            return as_names(custom(*positional, **named))

        return computed
    names = as_names(tags)
    # Not escaped: whoever evicts a tag writes it by hand, and one tag too many evicts too much.
    templates = [Template(name, call, "the tag", apart=False) for name in names]
    if not any(char in name for name in names for char in "{}"):
        return lambda _args, _kwargs: names

    def filled(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
        arguments = call.bind(args, kwargs)
        return tuple(template.fill(arguments) for template in templates)

    return filled


def _ignored(call: Call, ignore: tuple[str, ...]) -> frozenset[str]:
    for name in as_names(ignore):
        if name not in call.parameters and not call.takes_any:
            raise ValueError(
                f"@cached {call.name}(): ignore names {name!r}; allowed: "
                f"{', '.join(call.parameters) or 'nothing, as there are no arguments'}"
            )
    return frozenset(ignore)


def _check_name(function: Callable[..., Any], call: Call) -> None:
    """Refuse a function of which there may be several by the same name."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    # A function that calls itself, and one that says `super()`, hold no more than their name says.
    held = set(getattr(code, "co_freevars", ())) - {inner.__name__, "__class__"}
    if inner.__name__ == "<lambda>" or held:
        why = f"depends on {', '.join(sorted(held))}" if held else "is one of several by this name"
        raise TypeError(
            f"@cached {call.name}() {why}, of which its name says nothing; pass a key that does "
            f'(key="…"), or make it an argument'
        )
