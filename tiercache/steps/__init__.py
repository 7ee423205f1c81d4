"""The vocabulary in which the flows speak to the Redis tier.

A flow yields one step and is sent its answer, or is thrown `RedisAway`. Each step is one round
trip. Keys are full keys, times are milliseconds.
"""

from __future__ import annotations

from .base import Flow, Step
from .entries import (
    FOREVER,
    NOT_AN_INTEGER,
    TAGS_CHANGED,
    Ask,
    Call,
    Expire,
    Found,
    Increment,
    Peek,
    Peeked,
    Probe,
    Raw,
    Read,
    Remove,
    Rename,
    Scan,
    ScanToRemove,
    Store,
    Swap,
)
from .loads import Extend, Numbers, Release, Several, Soften, Tags, Take, Taken

__all__ = [
    "FOREVER",
    "NOT_AN_INTEGER",
    "TAGS_CHANGED",
    "Ask",
    "Call",
    "Expire",
    "Extend",
    "Flow",
    "Found",
    "Increment",
    "Numbers",
    "Peek",
    "Peeked",
    "Probe",
    "Raw",
    "Read",
    "Release",
    "Remove",
    "Rename",
    "Scan",
    "ScanToRemove",
    "Several",
    "Soften",
    "Step",
    "Store",
    "Swap",
    "Tags",
    "Take",
    "Taken",
]
