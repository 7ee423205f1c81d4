"""SQLite as the tests' database engine: what is closed is closed, also where it is in memory.

Django keeps a connection to a database in memory when it closes it, since the last one takes the
data with it. But a thread's own connection ends with the thread, and Python 3.13 warns of one that
nobody has closed. The main thread's keeps the data.
"""

from __future__ import annotations

import threading

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """One thread's connection."""

    def close(self) -> None:
        """Close it, unless it is the main thread's, and so the one that keeps the data."""
        if threading.current_thread() is threading.main_thread():
            super().close()
        else:
            BaseDatabaseWrapper.close(self)
