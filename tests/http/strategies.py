"""Header fields for hypothesis: any texts, and texts that look like those of caching."""

from __future__ import annotations

from hypothesis import strategies as st

from tiercache.http.fields import Fields
from tiercache.http.rules import HEURISTIC_STATUSES, OVERRIDES, Rules

DIRECTIVES = (
    *("no-store", "no-cache", "private", "public", "must-understand", "must-revalidate"),
    *("proxy-revalidate", "immutable", "max-age", "s-maxage", "stale-while-revalidate"),
    *("stale-if-error", "min-fresh", "max-stale", "only-if-cached", "extension"),
)
ARGUMENTS = ("", "=", "=0", "=1", "=60", '="60"', "=-1", "=x", "=99999999999", '="a, b"', '="a')
DATES = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Thu, 18 Aug 2050 02:01:18 GMT",
    "0",
)
NAMES = (
    *("cache-control", "cdn-cache-control", "pragma", "expires", "date", "last-modified", "age"),
    *("etag", "vary", "set-cookie", "authorization"),
)

TEXTS = st.text(st.characters(max_codepoint=0xFF), max_size=30)
DIRECTIVE_LISTS = st.lists(
    st.builds(str.__add__, st.sampled_from(DIRECTIVES), st.sampled_from(ARGUMENTS)), max_size=4
).map(", ".join)
VALUES = st.one_of(
    TEXTS,
    DIRECTIVE_LISTS,
    st.sampled_from([*DATES, "*", "accept, Accept-Encoding", '"tag"', "7", "7, 8"]),
)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.just("cache-control"), DIRECTIVE_LISTS),
        st.tuples(st.sampled_from(NAMES) | TEXTS, VALUES),
    ),
    max_size=6,
).map(Fields)
SECONDS = st.floats(0, 2e9)
INSTANTS = st.floats(0, 4e9)
RULES = st.builds(
    Rules,
    lifetime=st.none() | SECONDS,
    stale_while_revalidate=SECONDS,
    stale_if_error=SECONDS,
    statuses=st.just(HEURISTIC_STATUSES) | st.frozensets(st.integers(100, 599), max_size=9),
    store_anyway=st.frozensets(st.sampled_from(sorted(OVERRIDES))),
    keep=SECONDS,
    obey_callers=st.booleans(),
)
STATUSES = st.sampled_from([200, 206, 301, 304, 404, 500]) | st.integers(100, 599)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "get", ""])
