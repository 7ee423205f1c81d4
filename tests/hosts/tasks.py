"""The site for Celery; the parent uses the cache before it forks."""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery

django.setup()

from tests.hosts import used  # noqa: E402, F401 - the settings come first
from tests.hosts.work import work  # noqa: E402

app = Celery("hosts", broker=os.environ["HOSTS_BROKER"], backend=os.environ["HOSTS_BROKER"])
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)


@app.task(name="work")
def work_task(operation: str, *arguments: Any) -> dict[str, Any]:
    return work(operation, *arguments)
