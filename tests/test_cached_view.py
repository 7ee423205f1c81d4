"""`cached_view`: what is stored, who shares it, who must not, and what is loaded once."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.cache import SessionStore
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from django.utils import translation
from django.utils.cache import get_max_age, patch_vary_headers
from django.utils.decorators import method_decorator
from django.views import View

from tests.support.waiting import aeventually, eventually
from tiercache import visits
from tiercache.decorators import cached_view
from tiercache.exceptions import LoadTimeout
from tiercache.loading import current_load

if TYPE_CHECKING:
    from collections.abc import Callable


class Site:
    """A view, cached, that counts its runs and can be held up.

    Args:
        way: "sync" or "async", the kind of view.
        respond: makes the response.
    """

    def __init__(
        self, way: str, respond: Callable[[HttpRequest], Any] | None = None, **options: Any
    ) -> None:
        self.way = way
        self.runs: list[HttpRequest] = []
        self.respond = respond or (lambda request: HttpResponse(f"page {len(self.runs)}"))
        self.open = threading.Event()
        self.open.set()
        self._lock = threading.Lock()
        options.setdefault("timeout", 60)
        self.view = cached_view(**options)(self._view() if way == "sync" else self._async_view())

    def _begin(self, request: HttpRequest) -> None:
        with self._lock:
            self.runs.append(request)

    def _view(self) -> Any:
        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            self._begin(request)
            assert self.open.wait(20)
            return self.respond(request)

        return view

    def _async_view(self) -> Any:
        async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            self._begin(request)
            await aeventually(self.open.is_set, within=20)
            return self.respond(request)

        return view

    def request(self, path: str = "/page", method: str = "GET", **headers: str) -> HttpRequest:
        factory = RequestFactory() if self.way == "sync" else AsyncRequestFactory()
        factory.cookies.load(headers.pop("Cookie", ""))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return factory.generic(method, path, headers=named)

    def get(self, path: str = "/page", method: str = "GET", **headers: str) -> HttpResponse:
        return self.answer(self.request(path, method, **headers))

    def answer(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = self.view(request, **kwargs)
        return asyncio.run(response) if self.way == "async" else response

    def at_once(self, *requests: HttpRequest) -> list[Any]:
        """Answer requests that arrive while the first of them is held up in the view."""
        self.open.clear()
        before = len(self.runs)
        answers: list[Any] = [None] * len(requests)

        def visit(at: int) -> None:
            try:
                answers[at] = self.answer(requests[at])
            except Exception as exc:  # noqa: BLE001 - handed to the test
                answers[at] = exc

        threads = [threading.Thread(target=visit, args=(at,)) for at in range(len(requests))]
        threads[0].start()
        eventually(lambda: len(self.runs) > before, within=20)
        for thread in threads[1:]:
            thread.start()
        # Each is in the cache's hands, or in the view.
        eventually(lambda: self.waiting() >= len(requests) - 1, within=20)
        self.open.set()
        for thread in threads:
            thread.join(20)
        return answers

    def waiting(self) -> int:
        """Return how many visits wait for a flight that another one leads, or have begun one."""
        from django.core.cache import caches

        flights = caches["default"]._node.traffic.loads._flights
        return sum(len(flight._listeners) for flight in list(flights.values())) + len(self.runs) - 1


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def by_language(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(f"in {request.headers.get('Accept-Language')}")
    patch_vary_headers(response, ["Accept-Language"])
    return response


def by_cookie(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(f"for {request.COOKIES.get('name')}")
    patch_vary_headers(response, ["Cookie"])
    return response


def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        f"for {request.headers.get('X-Name')}", headers={"Cache-Control": "private"}
    )


# What is loaded once


def test_a_page_is_loaded_once(cache: Any, way: str) -> None:
    site = Site(way)
    assert site.get().content == site.get().content == b"page 1"
    assert site.get("/page?x=1").content == b"page 2"
    assert site.get("/other").content == b"page 3"
    assert len(site.runs) == 3


def test_a_cold_page_that_many_ask_for_is_loaded_once(cache: Any, way: str) -> None:
    site = Site(way)
    answers = site.at_once(*(site.request() for _ in range(5)))
    assert [answer.content for answer in answers] == [b"page 1"] * 5
    assert len(site.runs) == 1
    assert len({id(answer) for answer in answers}) == 5


def test_two_nodes_load_a_cold_page_once(make_caches: Any, valkey: Any) -> None:
    from tests.support.caches import TIERED

    settings = {"BACKEND": TIERED, "LOCATION": f"{valkey.url}/0", "KEY_PREFIX": "two"}
    # Another format of values makes another node in this process; pages are read by both.
    other = {**settings, "OPTIONS": {"PICKLE_VERSION": 4}}
    caches = make_caches(default=settings, other=other)
    assert caches["default"]._node is not caches["other"]._node
    site = Site("sync")
    there = cached_view(60, alias="other")(site._view())
    site.open.clear()
    pages: list[Any] = []
    first = threading.Thread(target=lambda: pages.append(site.get()))
    first.start()
    eventually(lambda: site.runs)
    second = threading.Thread(target=lambda: pages.append(there(site.request())))
    second.start()
    eventually(lambda: len(caches["other"]._node.traffic.bells), within=20)
    site.open.set()
    for thread in (first, second):
        thread.join(20)
    assert [page.content for page in pages] == [b"page 1"] * 2
    assert len(site.runs) == 1


async def test_a_cold_page_that_many_tasks_ask_for_is_loaded_once(cache: Any) -> None:
    site = Site("async")
    site.open.clear()
    tasks = [asyncio.create_task(site.view(site.request())) for _ in range(5)]
    await aeventually(lambda: site.runs)
    site.open.set()
    assert [page.content for page in await asyncio.gather(*tasks)] == [b"page 1"] * 5
    assert len(site.runs) == 1


# Vary


@pytest.fixture
def no_i18n() -> Any:
    """Django leaves Accept-Language out of the key where the active language is in it."""
    with override_settings(USE_I18N=False):
        yield


def test_cold_requests_that_vary_never_share(no_i18n: Any, cache: Any, way: str) -> None:
    site = Site(way, by_language)
    languages = ["de", "en", "de", "en", "fr", "de"]
    answers = site.at_once(*(site.request(Accept_Language=name) for name in languages))
    assert [answer.content.decode() for answer in answers] == [f"in {n}" for n in languages]
    assert len(site.runs) == 3
    for name in ("de", "en", "fr"):
        assert site.get(Accept_Language=name).content == f"in {name}".encode()
    assert len(site.runs) == 3


def test_the_active_language_is_in_the_key(cache: Any, way: str) -> None:
    site = Site(way, lambda request: HttpResponse(translation.get_language()))
    for _ in range(2):
        for language in ("de", "en"):
            with translation.override(language):
                assert site.get().content == language.encode()
    assert len(site.runs) == 2


def test_a_page_that_varies_on_more_than_was_known_is_not_shared(cache: Any, way: str) -> None:
    site = Site(way, tags=("pages",))
    assert site.get(Cookie="name=a").content == b"page 1"
    # The page goes, what the URL varies on stays; but now it varies on cookies.
    cache.evict_tags("pages")
    site.respond = by_cookie
    answers = site.at_once(*(site.request(Cookie=f"name={name}") for name in "bcb"))
    assert [answer.content for answer in answers] == [b"for b", b"for c", b"for b"]
    for name in "bcd":
        assert site.get(Cookie=f"name={name}").content == f"for {name}".encode()
    runs = len(site.runs)
    # What does not vary is kept for each of those who were told apart before.
    site.respond = lambda request: HttpResponse("for all")
    assert site.get(Cookie="name=e").content == site.get(Cookie="name=e").content == b"for all"
    assert site.get(Cookie="name=b").content == b"for b"
    assert len(site.runs) == runs + 1


def test_header_values_do_not_run_into_each_other(cache: Any, way: str) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        response = HttpResponse(f"{request.headers['X-A']}, {request.headers['X-B']}")
        patch_vary_headers(response, ["X-A", "X-B"])
        return response

    site = Site(way, respond)
    assert site.get(X_A="a", X_B="bc").content == b"a, bc"
    assert site.get(X_A="ab", X_B="c").content == b"ab, c"


def test_authorization_is_varied_on_unless_the_page_is_public(cache: Any, way: str) -> None:
    site = Site(way, lambda request: HttpResponse(request.headers.get("Authorization", "nobody")))
    for who in ("a", "b", "a"):
        assert site.get(Authorization=who).content == who.encode()
    assert len(site.runs) == 2


# What may not be stored


def unstorable() -> dict[str, Callable[[HttpRequest], Any]]:
    def cookie(request: HttpRequest) -> HttpResponse:
        response = by_cookie(request)
        response.set_cookie("own", "1")
        return response

    def token(request: HttpRequest) -> HttpResponse:
        return HttpResponse(get_token(request))

    def says(**headers: str) -> Callable[[HttpRequest], Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda request: HttpResponse("x", headers=named)

    def unwanted(request: Any) -> HttpResponse:
        request._cache_update_cache = False
        return HttpResponse("x")

    return {
        "private": says(Cache_Control="private"),
        "private field": says(Cache_Control='max-age=60, private="Set-Cookie"'),
        "no-store": says(Cache_Control="no-store"),
        "no-cache": says(Cache_Control="no-cache"),
        "max-age=0": says(Cache_Control="max-age=0"),
        "vary *": says(Vary="*"),
        "404": lambda request: HttpResponse("x", status=404),
        "500": lambda request: HttpResponse("x", status=500),
        "302": lambda request: HttpResponse("", status=302, headers={"Location": "/"}),
        "304": lambda request: HttpResponse(status=304),
        "streaming": lambda request: StreamingHttpResponse(iter([b"x"])),
        "cookie of one's own": cookie,
        "csrf token": token,
        "unwanted": unwanted,
    }


@pytest.mark.parametrize("kind", list(unstorable()))
def test_what_may_not_be_stored_is_not(make_cache: Any, way: str, kind: str) -> None:
    make_cache("memory")
    site = Site(way, unstorable()[kind])
    for runs in (1, 2, 3):
        site.get()
        assert len(site.runs) == runs


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_other_methods_are_not_cached(make_cache: Any, way: str, method: str) -> None:
    make_cache("memory")
    site = Site(way)
    for _ in range(2):
        request = site.request(method=method)
        site.answer(request)
        assert request._cache_update_cache is False  # type: ignore[attr-defined]
    assert len(site.runs) == 2
    site.get()
    assert len(site.runs) == 3


def test_head_is_answered_by_gets_page_and_not_the_other_way(cache: Any, way: str) -> None:
    site = Site(way)
    site.get("/first", "HEAD")
    site.get("/first", "HEAD")
    assert len(site.runs) == 1
    assert site.get("/first").content == b"page 2"
    assert site.get("/first", "HEAD").content == b"page 2"


def test_a_private_response_is_nobody_elses(cache: Any, way: str) -> None:
    site = Site(way, private)
    names = ["a", "b", "c"]
    answers = site.at_once(*(site.request(X_Name=name) for name in names))
    assert [answer.content.decode() for answer in answers] == [f"for {n}" for n in names]
    assert len(site.runs) == 3


@pytest.mark.parametrize("error", [Http404, PermissionDenied, ValueError])
def test_an_error_is_nobody_elses(cache: Any, way: str, error: type[Exception]) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        if request.headers["X-Name"] == "a":
            raise error
        return HttpResponse("fine")

    site = Site(way, respond)
    answers = site.at_once(*(site.request(X_Name=name) for name in "ab"))
    assert isinstance(answers[0], error)
    assert answers[1].content == b"fine"


def test_a_304_keeps_nobody_from_loading_the_page(cache: Any, way: str) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=304 if "If-None-Match" in request.headers else 200)

    site = Site(way, respond)
    assert site.get(If_None_Match='"x"').status_code == 304
    assert site.get().status_code == site.get().status_code == 200
    assert len(site.runs) == 2


def test_nobody_waits_for_views_that_answer_privately(cache: Any, way: str) -> None:
    site = Site(way, private)
    site.get(X_Name="a")
    # All are in the view at the same time: none of them leads and lets the others wait.
    site.open.clear()
    threads = [threading.Thread(target=site.get, kwargs={"X_Name": "b"}) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(site.runs) == 4, within=20)
    site.open.set()
    for thread in threads:
        thread.join(20)


def test_after_a_while_it_is_tried_again(
    cache: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "PASS", 0.02)
    site = Site(way, private)
    site.get(X_Name="a")
    site.respond = lambda request: HttpResponse("for all")
    # One of these runs the view for all; from then on it is not run any more.
    eventually(
        lambda: [site.get(), before := len(site.runs), site.get()] and len(site.runs) == before
    )


def test_sessions_that_the_view_looks_at_keep_pages_apart(make_cache: Any, way: str) -> None:
    make_cache()
    site = Site(way, lambda request: HttpResponse(request.session.get("name", "nobody")))

    def ask(name: str) -> HttpResponse:
        request = site.request(Cookie=f"sessionid={name}")
        request.session = SessionStore()
        request.session["name"] = name
        request.session.accessed = request.session.modified = False
        return site.answer(request)

    assert ask("a").content == b"a"
    assert ask("b").content == b"b"
    assert ask("a")["Vary"] == "Cookie"
    assert len(site.runs) == 2


# Headers


def test_the_page_says_how_long_it_is_fresh(cache: Any, way: str) -> None:
    site = Site(way, timeout=100)
    first = site.get()
    assert get_max_age(first) == 100
    assert first["Expires"] == site.get()["Expires"]


def test_a_cached_page_promises_no_more_than_what_is_left(
    cache: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(way, timeout=100)
    site.get()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 40)
    assert get_max_age(site.get()) in (59, 60)
    # A clock that was set back promises no more than the page did.
    monkeypatch.setattr(time, "time", lambda: now() - 40)
    assert get_max_age(site.get()) == 100


@pytest.mark.parametrize(("said", "life"), [(10, 10), (1000, 60)])
def test_max_age_of_the_response_decides_if_it_is_less(
    make_cache: Any, way: str, said: int, life: int
) -> None:
    cache = make_cache()
    site = Site(
        way, lambda request: HttpResponse("x", headers={"Cache-Control": f"max-age={said}"})
    )
    assert get_max_age(site.get()) == life
    (page,) = list(cache.keys("views.decorators.cache.cache_page*"))
    assert life - 5 < cache.ttl(page) <= life


def test_without_a_timeout_the_response_or_the_settings_decide(make_cache: Any, way: str) -> None:
    make_cache("memory")
    site = Site(way, timeout=None)
    with override_settings(CACHE_MIDDLEWARE_SECONDS=77):
        assert get_max_age(site.get()) == 77
    site.respond = lambda request: HttpResponse("x", headers={"Cache-Control": "max-age=1000"})
    assert get_max_age(site.get("/other")) == 1000


def test_the_cache_middleware_is_told_what_to_keep(make_cache: Any, way: str) -> None:
    make_cache("memory")
    site = Site(way)
    for _ in range(2):
        request = site.request()
        site.answer(request)
        assert request._cache_update_cache is False  # type: ignore[attr-defined]
    site = Site(way, private)
    request = site.request("/private")
    site.answer(request)
    assert request._cache_update_cache is True  # type: ignore[attr-defined]


# Tags


def test_tags_evict_pages(cache: Any, way: str) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        load = current_load()
        assert load is not None
        load.tag("from-the-view")
        return HttpResponse("x")

    site = Site(way, respond, tags=("pages",))
    for runs, tag in enumerate(["pages", "from-the-view", "other"], start=1):
        site.get()
        assert len(site.runs) == runs
        cache.evict_tags(tag)
    site.get()
    assert len(site.runs) == 3


def test_tags_may_name_the_views_arguments(cache: Any, way: str) -> None:
    runs: list[int] = []

    def view(request: HttpRequest, pk: int) -> HttpResponse:
        runs.append(pk)
        return HttpResponse("x")

    async def aview(request: HttpRequest, pk: int) -> HttpResponse:
        return view(request, pk)

    site = Site(way)
    site.view = cached_view(60, tags=("product:{pk}",))(view if way == "sync" else aview)
    for pk in (1, 2, 1, 2):
        site.answer(site.request(f"/{pk}"), pk=pk)
    assert runs == [1, 2]
    cache.evict_tags("product:1")
    for pk in (1, 2):
        site.answer(site.request(f"/{pk}"), pk=pk)
    assert runs == [1, 2, 1]


def test_a_tag_that_is_evicted_while_a_cold_page_is_loaded_wins(cache: Any, way: str) -> None:
    site = Site(way, tags=("pages",))

    def respond(request: HttpRequest) -> HttpResponse:
        if len(site.runs) == 1:
            evicting = threading.Thread(target=cache.evict_tags, args=("pages",))
            evicting.start()
            evicting.join(20)
        return HttpResponse(f"page {len(site.runs)}")

    site.respond = respond
    assert site.get().content == b"page 1"
    assert site.get().content == b"page 2"
    assert site.get().content == b"page 2"


def test_a_view_may_name_tags_in_any_request(make_cache: Any, way: str) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        load = current_load()
        assert load is not None
        load.tag("x")
        return private(request)

    make_cache("memory")
    site = Site(way, respond)
    for method in ("POST", "GET", "GET"):
        site.get(method=method, X_Name="a")
    assert len(site.runs) == 3


# Grace


def test_a_stale_page_is_served_while_it_is_loaded_anew(make_cache: Any, way: str) -> None:
    make_cache()
    site = Site(way, timeout=0.05, grace=60)
    first = site.request("/page?x=1", X_Name="a", If_None_Match='"x"')
    with translation.override("de"):
        site.respond = lambda request: HttpResponse(translation.get_language())
        assert get_of(site, first) == b"de"
        # The view is run in the background: by nobody's request, in the same language.
        eventually(lambda: get_of(site, first) and len(site.runs) > 1, within=20)
    later = site.runs[1]
    assert later is not first
    assert later.get_full_path() == "/page?x=1"
    assert later.build_absolute_uri() == first.build_absolute_uri()
    assert later.GET["x"] == "1"
    assert later.headers["X-Name"] == "a"
    assert "If-None-Match" not in later.headers
    assert later.body == b""


def get_of(site: Site, request: HttpRequest) -> bytes:
    """Ask, on an event loop that goes on for long enough for what it has begun."""
    if site.way == "sync":
        return site.answer(request).content

    async def ask() -> bytes:
        page = await site.view(request)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        return bytes(page.content)

    return asyncio.run(ask())


def test_a_refresh_has_no_session_and_is_nobodys(
    make_cache: Any, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_cache()
    asked: list[Any] = []

    def respond(request: Any) -> HttpResponse:
        asked.append(request.user)
        if len(site.runs) > 1:
            asked.append(request.tenant)
        return HttpResponse("x")

    site = Site(way, respond, timeout=0.05, grace=60)

    def ask() -> Any:
        request = site.request()
        request.user, request.tenant, request.plain = "somebody", object(), "text"
        return get_of(site, request)

    ask()
    eventually(lambda: ask() and "RequestEnded" in caplog.text, within=20)
    assert "asked for request.tenant in a background refresh" in caplog.text
    assert asked[0] == "somebody"
    assert asked[1] == AnonymousUser()
    assert site.runs[1].plain == "text"
    # The stale page is still there.
    assert ask() == b"x"


@pytest.mark.parametrize("options", [{"grace": 60}, {"grace": 60, "early": 1}])
def test_a_page_that_is_somebodys_is_not_refreshed_by_nobody(
    make_cache: Any, way: str, options: Any
) -> None:
    make_cache()
    site = Site(way, by_cookie, timeout=0.05, **options)
    for name in "ab":  # the key of the first is not known when it is loaded, that of the second is
        site.runs.clear()
        request = site.request(Cookie=f"name={name}")
        eventually(lambda: get_of(site, request) and len(site.runs) > 1, within=20)  # noqa: B023
        assert all(each is request for each in site.runs)


def test_a_server_error_leaves_the_stale_page(make_cache: Any, way: str) -> None:
    make_cache()
    site = Site(way, timeout=0.05, grace=60)
    request = site.request()
    assert get_of(site, request) == b"page 1"
    site.respond = lambda request: HttpResponse("broken", status=503)
    eventually(lambda: get_of(site, request) == b"page 1" and len(site.runs) > 1, within=20)
    assert get_of(site, request) == b"page 1"


def test_a_page_that_is_gone_takes_the_stale_one_away(make_cache: Any, way: str) -> None:
    make_cache()
    site = Site(way, timeout=0.05, grace=60)
    request = site.request()
    get_of(site, request)
    site.respond = lambda request: HttpResponse("gone", status=404)
    eventually(lambda: get_of(site, request) == b"gone", within=20)


# Fit with Django


def test_a_template_response_is_rendered_before_it_is_stored(cache: Any, way: str) -> None:
    template = engines["django"].from_string("hello {{ name }}")
    site = Site(way, lambda request: TemplateResponse(request, template, {"name": "you"}))
    answers = site.at_once(*(site.request() for _ in range(3)))
    assert [answer.content for answer in answers] == [b"hello you"] * 3
    assert site.get().content == b"hello you"
    assert len(site.runs) == 1


def test_a_class_based_view_works(cache: Any) -> None:
    runs: list[int] = []

    @method_decorator(cached_view(60), name="dispatch")
    class Page(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            runs.append(1)
            return HttpResponse("x")

    for _ in range(2):
        assert Page.as_view()(RequestFactory().get("/")).content == b"x"
    assert cached_view(60)(Page.as_view())(RequestFactory().get("/")).content == b"x"
    assert len(runs) == 1


def test_a_prefix_tells_sites_apart(cache: Any, way: str) -> None:
    site = Site(way)
    other = Site(way, key_prefix="other")
    site.get()
    other.get()
    assert len(other.runs) == 1


def test_a_budget_bounds_the_wait(make_cache: Any, way: str) -> None:
    make_cache()
    site = Site(way, budget=0.05)
    site.open.clear()
    with pytest.raises(LoadTimeout):
        site.get()
    site.open.set()


def test_a_method_without_a_request_is_refused(make_cache: Any) -> None:
    make_cache("memory")
    with pytest.raises(TypeError, match=r"got 5 as its first argument.*method_decorator"):
        Site("sync").view(5)


def test_the_bare_decorator_is_refused() -> None:
    with pytest.raises(TypeError, match="got the timeout <function"):
        cached_view(lambda request: HttpResponse())  # type: ignore[arg-type]


def test_another_backend_is_refused_when_it_is_called(way: str) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    with (
        override_settings(CACHES={"default": {"BACKEND": backend}}),
        pytest.raises(ImproperlyConfigured, match=rf"cached_view.*'default'.*{backend}"),
    ):
        Site(way).get()
