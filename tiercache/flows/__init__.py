"""The operations, each written once: generators that yield steps and return answers.

A driver carries the steps out (see `node`). Because the flows neither send nor wait, a test can
drive several nodes' flows step by step in every order. The rules that they follow keep memory in
step with Redis; in short, for each key:

- A fill takes a ticket before it reads, and installs only with a valid ticket.
- A write takes a ticket before it writes and makes all others invalid once more afterwards; it
  installs its copy only if nothing else changed the key meanwhile, else it drops it.
- Any other change drops the copy afterwards, and makes all tickets invalid before and after.

No lock is held and no clean-up is done across a `yield`.
"""

from __future__ import annotations

from .alone import Alone
from .batches import Batches
from .common import SCAN_COUNT, Habits
from .plans import Plan
from .writes import Extras

__all__ = ["SCAN_COUNT", "Extras", "Flows", "FlowsAlone", "Habits", "Plan"]


class Flows(Batches):
    """The operations of one alias on its store."""


class FlowsAlone(Alone, Flows):
    """The same on a store without a Redis tier."""
