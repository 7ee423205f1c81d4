"""The way to a page.

    headers  which request headers the URL's pages vary on: the cache knows, or one request finds
             out by running its view, whose page it stores under the key that follows from them
    page     the page under that key; where there is none, one request runs its view

A response that may not be stored is for the request that it was made for. All others who waited
run their views themselves, and so does everybody for the next `PASS` seconds: nobody waits twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import Any

from asgiref.sync import sync_to_async

from .exceptions import RefreshFailed
from .loading import LoadContext, computing, current_load
from .steps import Flow
from .variants import accessed, life_of, personal
from .visits import REMEMBERED, Visit
from .ways import Ask, Move, Run, Step, Way, adrive, drive


class Route(Visit):
    """A visit, from the request to the response."""

    def answer(self) -> Any:
        """Return the response of a `def` view, or the page that is cached."""
        if self.prepare():
            return drive(self.way(), self.perform)
        with speaking():
            return self.terms.view(self.request, *self.args, **self.kwargs)

    async def aanswer(self) -> Any:
        """Return the response of an `async def` view, or the page that is cached."""
        if self.prepare():
            return await adrive(self.way(), self.aperform)
        with speaking():
            return await self.terms.view(self.request, *self.args, **self.kwargs)

    # The ways

    def way(self) -> Way:
        """Look for the page, and return the response."""
        try:
            names = yield self.ask(self.headers_key, self.learn, self.about_headers())
            if self.has_run():
                return self.own()
            if names is not None:
                self.names = names
                page = yield from self.page()
                if self.has_run():
                    return self.own()
                if page is not None:
                    return self.opened(page)
        except RefreshFailed:
            # Of somebody's stale page, which has gone since.
            pass
        return (yield from self.alone())

    def page(self) -> Way:
        """Return the page, where others have one for this request."""
        if self.request.method == "HEAD":
            page = yield Ask("get", (self.key("GET"),), {})
            if page is not None:
                return page
        return (yield self.ask(self.key(), self.load, self.about_known_page()))

    def learn(self, context: LoadContext) -> Way:
        """Find out what the URL's pages vary on, by a page, which is stored."""
        spare = f"{self.headers_key}.{uuid.uuid4().hex}"
        page = yield self.ask(spare, self.first, {**self.about_page(), "lease": False})
        if page is None:
            self.passed(context)
            return None
        # It has been loaded under the eyes of its tags; only its key was not known.
        yield Move(spare, self.key())
        return self.names

    def first(self, context: LoadContext) -> Way:
        """Load a page whose key is not known yet."""
        page = yield from self.run(context)
        if page is None:
            context.decline()
        return page

    def load(self, context: LoadContext) -> Way:
        """Load a page whose key is known."""
        if context.has_stale and personal(self.names or ()):
            # It has no grace, but was seen in its last millisecond: it is nobody's to refresh.
            context.decline()
            return None
        page = yield from self.run(context)
        if page is None:
            self.passed(context)
        if self.grown:
            yield Ask("set", (self.headers_key, self.names, REMEMBERED), {})
        return page

    def run(self, context: LoadContext) -> Way:
        """Run the view; return the page to store, if it brings one."""
        request = self.asker(context)
        before = accessed(request)
        try:
            response = yield Run(request)
        except Exception as exc:  # noqa: BLE001 - it is this request's own
            self.failed(context, exc)
            return None
        asked = accessed(request) and not before
        return self.settled(context, request, response, asked=asked)

    def alone(self) -> Way:
        """Run the view for this request, and nobody else."""
        before = accessed(self.request)
        response = yield Run(self.request)
        asked = accessed(self.request) and not before
        life_of(self.request, response, self.terms.timeout, asked=asked)
        return response

    # Its steps

    def ask(self, key: str, way: Callable[[LoadContext], Way], options: dict[str, Any]) -> Ask:
        """Return the step to get what is under a key, or else to go that way."""

        def source(context: LoadContext) -> Any:
            return drive(way(context), self.perform)

        async def asource(context: LoadContext) -> Any:
            return await adrive(way(context), self.aperform)

        return Ask("get_or_set", (key, asource if self.terms.is_async else source), options)

    def perform(self, step: Step) -> Any:
        """Take a step, in this thread."""
        if isinstance(step, Ask):
            return getattr(self.cache, step.method)(*step.args, **step.options)
        if isinstance(step, Move):
            return self.cache._run(self.moved(step))
        with speaking():
            response = self.terms.view(step.request, *self.args, **self.kwargs)
            return response.render() if _unrendered(response) else response

    async def aperform(self, step: Step) -> Any:
        """Take a step, on the running event loop."""
        if isinstance(step, Ask):
            return await getattr(self.cache, f"a{step.method}")(*step.args, **step.options)
        if isinstance(step, Move):
            return await self.cache._arun(self.moved(step))
        with speaking():
            response = await self.terms.view(step.request, *self.args, **self.kwargs)
            return await sync_to_async(response.render)() if _unrendered(response) else response

    def moved(self, step: Move) -> Flow[bool]:
        """Return the flow of a `Move`."""
        full = self.cache.make_and_validate_key
        return self.cache._flows.rename(full(step.old), full(step.new))


def _unrendered(response: Any) -> bool:
    return callable(getattr(response, "render", None)) and not response.is_rendered


@contextmanager
def speaking() -> Generator[None]:
    """Let `current_load` have an answer in views, whether their response is to be kept or not."""
    with nullcontext() if current_load() else computing(LoadContext("")):
        yield
