"""What is to be evicted from one cache: which keys, said in one of five ways."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from tiercache.backend import TieredCache
from tiercache.exceptions import CannotEnumerate, TierCacheError
from tiercache.keys import is_internal, matcher, namespace
from tiercache.questions import MOST_BYTES, MOST_KEYS

from .handles import EVERYTHING, alias_of, glob_of, namespace_of

Kind: TypeAlias = Literal["keys", "pattern", "tag", "version", "everything"]

MOST_NAMED: Final = 20
"""Keys that the text of a selection names."""

LONGEST_GLOB: Final = 1000
"""Characters of a glob: the server tries it on every key."""

LONGEST_NAME: Final = 300
"""Characters of a key or pattern in that text."""


class BadSelection(TierCacheError, ValueError):
    """What is to be evicted is said in a way that cannot be; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Keys, or a glob, or a tag, or a version, or everything: exactly one of them.

    Attributes:
        keys: full keys as Redis has them, each once.
        pattern: a glob of keys as the code names them.
        tag: a tag as the code names it.
        version: of the pattern or the tag (None: the cache's own); with neither, all of it.
        everything: all keys of the cache's prefix, in all versions.

    Raises:
        BadSelection: it is none or more than one of them, or one that cannot be.
    """

    keys: tuple[bytes, ...] = ()
    pattern: str | None = None
    tag: str | None = None
    version: int | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        given = self._given()
        if len(given) != 1:
            raise BadSelection(
                f"selected: {' and '.join(given) or 'nothing'}; allowed: exactly one of keys, "
                f"a pattern, a tag, a version, everything"
            )
        if self.version is not None and (self.keys or self.everything):
            raise BadSelection(
                f"version {self.version} is given with {given[0]}; allowed with a pattern, a tag, "
                f"or alone"
            )
        for name, text in (("pattern", self.pattern), ("tag", self.tag)):
            _refuse_unfit(name, text)
        object.__setattr__(self, "keys", tuple(dict.fromkeys(self.keys)))

    @classmethod
    def of_names(
        cls, cache: TieredCache, names: Iterable[str], version: int | None = None
    ) -> Selection:
        """Select keys as the code names them; a text from a terminal may hold any bytes.

        Raises:
            BadSelection: the cache's key function takes one of them for no key.
        """
        made = [_named(cache, name, lambda name: cache.make_key(name, version)) for name in names]
        return cls(keys=tuple(full.encode(errors="surrogateescape") for full in made))

    @property
    def kind(self) -> Kind:
        """Which of the five it is."""
        return self._given()[0]

    @property
    def sweeps(self) -> bool:
        """Whether it is as good as everything: all, a version, or a glob that all keys fit."""
        return self.everything or self.kind == "version" or not (self.pattern or "key").strip("*")

    @property
    def shown(self) -> str:
        """What it is, in one line; the same in every language, since it is kept."""
        within = "" if self.version is None else f" in version {self.version}"
        match self.kind:
            case "keys":
                names = ", ".join(map(shown_key, self.keys[:MOST_NAMED]))
                more = len(self.keys) - MOST_NAMED
                return f"keys {names}" + (f" and {more} more" if more > 0 else "")
            case "pattern":
                return f"pattern {_printable(self.pattern or '')}{within}"
            case "tag":
                return f"tag {_printable(self.tag or '')}{within}"
            case "version":
                return f"version {self.version}"
            case _:
                return "everything"

    @property
    def digest(self) -> str:
        """A text that is the same for the same selection, and for no other."""
        said = (self.keys, self.pattern, self.tag, self.version, self.everything)
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def check(self, cache: TieredCache) -> None:
        """Refuse what this cache cannot evict.

        Raises:
            BadSelection: a key is another's, or tiercache's own; or the cache's key function
                leaves no pattern to find keys by, or does not take the tag.
        """
        if self.kind == "keys":
            self._refuse_others_keys(cache)
        elif self.kind == "tag":
            self.full_tag(cache)
        else:
            self.glob(cache)

    def glob(self, cache: TieredCache) -> str:
        """Return the glob of the full keys of a pattern, a version or everything.

        Raises:
            BadSelection: the cache's key function leaves none.
        """
        try:
            if self.everything:
                return namespace(cache.key_func, cache.key_prefix)
            return glob_of(cache, self.pattern or EVERYTHING, self.version)
        except CannotEnumerate as exc:
            raise BadSelection(
                f"cache {alias_of(cache)!r} finds keys by no pattern, so allowed are keys and "
                f"tags: {exc}"
            ) from exc

    def full_tag(self, cache: TieredCache) -> str:
        """Return the full key of the tag.

        Raises:
            BadSelection: the cache's key function does not take it.
        """
        return _named(cache, self.tag or "", lambda tag: cache._tag(tag, self.version))

    def details(self, cache: TieredCache) -> Iterator[dict[str, Any]]:
        """Yield what nodes are asked with, in as many questions as it takes."""
        if self.kind == "tag":
            yield {"tag": self.full_tag(cache)}
        elif self.kind != "keys":
            yield {"glob": self.glob(cache)}
        else:
            for keys in _parts(self.keys):
                yield {"keys": [key.decode(errors="surrogateescape") for key in keys]}

    def _given(self) -> list[Kind]:
        given: list[Kind] = []
        if self.keys:
            given.append("keys")
        if self.pattern is not None:
            given.append("pattern")
        if self.tag is not None:
            given.append("tag")
        if self.everything:
            given.append("everything")
        if self.version is not None and not given:
            given.append("version")
        return given

    def _refuse_others_keys(self, cache: TieredCache) -> None:
        own = namespace_of(cache)
        fits = matcher(EVERYTHING if own is None else own)
        for raw in self.keys:
            key = raw.decode(errors="surrogateescape")
            if is_internal(key):
                raise BadSelection(
                    f"{shown_key(raw)} is tiercache's own; allowed: keys that the site has set, "
                    f"and tags by their names"
                )
            if not fits(key):
                raise BadSelection(
                    f"{shown_key(raw)} is no key of cache {alias_of(cache)!r}; its keys fit {own}"
                )


def _named(cache: TieredCache, name: str, make: Callable[[str], object]) -> str:
    try:
        return str(make(name))
    except Exception as exc:
        # The site's own code, given a text that may be none of its keys.
        raise BadSelection(
            f"the key function of cache {alias_of(cache)!r} does not take {name!a}: "
            f"{type(exc).__name__}: {exc}"
        ) from exc


def _parts(keys: tuple[bytes, ...]) -> Iterator[list[bytes]]:
    """Yield keys in parts that one question can name."""
    part: list[bytes] = []
    size = 0
    for key in keys:
        size += len(key)
        if part and (len(part) == MOST_KEYS or size > MOST_BYTES):
            yield part
            part, size = [], len(key)
        part.append(key)
    yield part


def shown_key(raw: bytes) -> str:
    """Return a full key as one line of text: hexadecimal digits where it is none, cut if long."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = f"0x{raw.hex()}"
    return _printable(text)


def _printable(text: str) -> str:
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


def _refuse_unfit(name: str, text: str | None) -> None:
    if text is None:
        return
    if not text:
        raise BadSelection(f"the {name} is empty; allowed: a text")
    if name == "pattern" and len(text) > LONGEST_GLOB:
        raise BadSelection(
            f"the pattern has {len(text):,} characters; allowed: at most {LONGEST_GLOB:,}"
        )
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise BadSelection(f"the {name} {text!a} is not UTF-8; allowed: text") from exc
