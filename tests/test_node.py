"""What a process holds once per store: when its memory is looked into."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.caches import settings_for


class Interrupted:
    """A backplane that loses or finds its subscription while somebody looks whether it has one."""

    def __init__(self, *, was: bool, meanwhile: Any) -> None:
        self._connected = was
        self._meanwhile = meanwhile

    @property
    def connected(self) -> bool:
        connected = self._connected
        if meanwhile := self._meanwhile:
            self._meanwhile = None
            self._connected = not connected
            thread = threading.Thread(target=meanwhile)
            thread.start()
            # It ends in this time only if it does not have to wait for this look to be over.
            thread.join(0.2)
        return connected


@pytest.mark.parametrize("heard", [False, True])
def test_whoever_sees_the_last_change_decides_what_is_trusted(
    make_cache: Any, *, heard: bool
) -> None:
    """One thread that has looked, but not yet decided, does not undo what another one decides."""
    node, done = make_cache()._node, threading.Event()

    def change() -> None:
        node._set_shelves()
        done.set()

    backplane, node._backplane = node._backplane, Interrupted(was=not heard, meanwhile=change)
    node._set_shelves()
    assert done.wait(5)
    assert (node.shelves.loose.entries is node.memory.entries) is heard
    node._backplane = backplane


def test_memory_is_looked_into_where_there_is_no_redis(make_caches: Any) -> None:
    """Nothing can be missed there."""
    node = make_caches(default=settings_for("memory", ""))["default"]._node
    assert node.shelves.loose.entries is node.memory.entries
