"""``manage.py gateway_warm``: what it asks, what it leaves in Redis, and what it says."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError

from gateway_project.serving import popular
from tests.gateway.origin import Answer, Origin, Request
from tests.gateway.warming.conftest import Warm


def test_what_is_listed_is_in_redis_afterwards(warm: Warm, origin: Origin):
    told = warm.told(warm.list("/things/a", "# a comment", "", "https://any.host/things/b?page=2"))
    assert (told["asked"], told["loaded"], told["failed"]) == (2, 2, 0)
    assert [one.target for one in origin.asked] == ["/things/a", "/things/b?page=2"]
    assert len(list(warm.cache.iter_keys("http:*"))) == 2


def test_what_is_there_is_not_asked_again(warm: Warm, origin: Origin):
    listed = warm.list("/things/a")
    warm.run(listed)
    told = warm.told(listed)
    assert (told["already_there"], told["loaded"]) == (1, 0)
    assert origin.count == 1


def test_with_refresh_what_is_there_is_loaded_anew(warm: Warm, origin: Origin):
    listed = warm.list("/things/a")
    warm.run(listed)
    told = warm.told(listed, "--refresh")
    assert (told["already_there"], told["loaded"]) == (0, 1)
    assert origin.count == 2


def test_what_is_stale_is_loaded_before_the_command_ends(
    make_warm: Callable[..., Warm], origin: Origin
):
    """Not in the background, as for a caller: that would end with the process."""
    warm = make_warm("stale_while_revalidate = 600")
    listed = warm.list("/things/a")
    warm.run(listed)
    warm.cache.evict_tags("route:things", soft=True)
    origin.says(body=b"fresh")
    told = warm.told(listed)
    assert (told["already_there"], told["loaded"]) == (0, 1)
    assert warm.told(listed)["already_there"] == 1
    assert origin.count == 2


def test_a_stale_answer_is_no_success(make_warm: Callable[..., Warm], origin: Origin):
    warm = make_warm("stale_if_error = 600")
    listed = warm.list("/things/a")
    warm.run(listed)
    warm.cache.evict_tags("route:things", soft=True)
    origin.says(503)
    told = warm.told(listed)
    assert (told["already_there"], told["failed"]) == (0, 1)
    assert "answered 503" in told["failures"][0]["reason"]


def test_a_failed_refresh_leaves_what_is_there(warm: Warm, origin: Origin):
    listed = warm.list("/things/a")
    warm.run(listed)
    origin.says(503)
    assert warm.told(listed, "--refresh")["failed"] == 1
    assert warm.told(listed)["already_there"] == 1


def test_keys_and_rates_do_not_stand_in_the_way(warm: Warm):
    assert warm.told(warm.list("/guarded"))["loaded"] == 1
    for _ in range(3):
        assert warm.told(warm.list("/guarded"), "--refresh")["loaded"] == 1


def test_addresses_of_one_answer_are_asked_once(make_warm: Callable[..., Warm], origin: Origin):
    warm = make_warm('ignore_query = ["utm_*"]')
    listed = warm.list("/things/a", "/things/a?utm_source=x", "http://h/things/a", "/things/%61")
    assert warm.told(listed)["asked"] == 1
    assert origin.count == 1


def test_each_variant_is_a_request(warm: Warm, origin: Origin):
    origin.says(vary="Accept-Language")
    variants = ["--variant", "Accept-Language: de", "--variant", "Accept-Language: fr"]
    listed = warm.list("/things/a")
    assert warm.told(listed, *variants, "--header", "Accept: text/html")["loaded"] == 2
    assert [one.fields.get("accept-language") for one in origin.asked] == ["de", "fr"]
    assert [one.fields.get("accept") for one in origin.asked] == ["text/html"] * 2
    assert warm.told(listed, *variants, "--refresh")["loaded"] == 2
    assert warm.told(listed, *variants)["already_there"] == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Authorization: Basic x", "'Authorization' changes no answer that is shared"),
        ("If-None-Match: *", "'If-None-Match' changes no answer"),
        ("X-Other: 1", "allowed are accept, accept-encoding"),
        ("Accept", "is no header line"),
        ("Accept: \x01", "is no header line"),
    ],
)
@pytest.mark.parametrize("option", ["--variant", "--header"])
def test_header_lines_that_are_of_no_use_are_refused(
    warm: Warm, origin: Origin, option: str, line: str, said: str
):
    with pytest.raises(CommandError, match=said):
        warm.run(warm.list("/things/a"), option, line)
    assert origin.count == 0


def test_what_must_not_be_stored_is_counted_by_its_reason(warm: Warm, origin: Origin):
    def script(request: Request) -> Answer:
        if request.target.endswith("missing"):
            return Answer(404, {"cache-control": "no-store"})
        return Answer(headers={"cache-control": "no-store"})

    origin.script = script
    told = warm.told(warm.list("/things/a", "/things/b", "/things/missing"))
    assert told["not_storable"] == 3
    assert told["reasons"]["no-store"] >= 2
    assert told["failed"] == 0
    # For some seconds nobody waits for what cannot be stored: each request is passed on.
    again = warm.told(warm.list("/things/a", "/things/b", "/things/missing"))
    assert again["reasons"] == told["reasons"]
    assert origin.count == 6


def test_a_body_that_is_too_large_is_let_go(make_warm: Callable[..., Warm], origin: Origin):
    """The pool's one connection comes free for the next request."""
    warm = make_warm('largest_stored = "1 KiB"', pool="most_connections = 1")
    origin.script = lambda _: Answer(body=b"x" * 65536, parts=64)
    told = warm.told(warm.list("/things/a", "/things/b", "/things/c"))
    assert (told["reasons"], told["failed"]) == ({"too-large": 3}, 0)


def test_failures_are_told_and_the_exit_status_is_1(warm: Warm, origin: Origin):
    origin.script = lambda asked: Answer(503 if asked.target.endswith("bad") else 200)
    told = warm.told(warm.list("/things/a", "/things/bad"), "--concurrency", "1")
    assert (told["loaded"], told["failed"]) == (1, 1)
    assert told["failures"][0]["url"] == "/things/bad"
    assert "answered 503" in told["failures"][0]["reason"]
    assert warm.failed.returncode == 1


def test_the_first_reasons_are_shown(make_warm: Callable[..., Warm], origin: Origin):
    warm = make_warm(back_off=0.001)
    origin.says(503)
    with pytest.raises(CommandError, match="8 requests"):
        warm.run(warm.list(*(f"/things/{n}" for n in range(8))), "--concurrency", "1")
    assert warm.output.count("/things/") == 5
    assert "and 3 more" in warm.output


BAD = ["/things/a", "/nothing", "/things/a?other=1", "/own", "/posts", "ftp://x/y", "/things/ä"]


def test_all_bad_lines_are_told_before_anything_is_asked(warm: Warm, origin: Origin):
    listed = warm.list(*BAD, "/things/a#b", "/things/../b", "x" * 20_000)
    with pytest.raises(CommandError) as caught:
        warm.run(listed)
    lines = str(caught.value).splitlines()[1:]
    expected = [
        "2: '/nothing': Nothing is at '/nothing'",
        "3: '/things/a?other=1': Unknown query parameter 'other'; allowed are page",
        "4: '/own': the route 'own' keeps answers for each API key on its own",
        "5: '/posts': GET is not allowed here; allowed are POST",
        "6: 'ftp://x/y': an address begins with '/', 'http://' or 'https://'",
        "7: '/things/ä': the path has",
        "8: '/things/a#b': what is behind '#' never reaches a server",
        "9: '/things/../b': the path has a dot segment",
        "10: The line has 20000 bytes; allowed are 16384",
    ]
    assert len(lines) == len(expected)
    for line, said in zip(lines, expected, strict=True):
        assert line.startswith(f"{listed}:{said}")
    assert caught.value.returncode == 1
    assert origin.count == 0


def test_bad_lines_can_be_left_out(warm: Warm, origin: Origin):
    told = warm.told(warm.list(*BAD), "--skip-bad")
    assert (told["loaded"], len(told["left_out"])) == (1, 6)
    assert warm.errors.count("Left out: ") == 6


def test_a_dry_run_shows_the_routes_and_asks_nobody(warm: Warm, origin: Origin):
    shown = warm.run(warm.list("/things/a", "/guarded"), "--dry-run", "--variant", "Accept: x/y")
    assert shown.splitlines() == [
        "things   /things/a (Accept: x/y)",
        "guarded  /guarded (Accept: x/y)",
        "2 requests would be made.",
    ]
    assert origin.count == 0
    assert not warm.state.exists()


def test_a_dry_run_tells_mistakes_as_well(warm: Warm):
    told = warm.told(warm.list("/things/a", "/nothing"), "--dry-run")
    assert told["would_ask"] == [{"url": "/things/a", "variant": None, "route": "things"}]
    assert len(told["mistakes"]) == 1
    assert warm.failed.returncode == 1


def test_standard_input_is_a_list(warm: Warm, monkeypatch: pytest.MonkeyPatch):
    given = SimpleNamespace(buffer=io.BytesIO(b"\xef\xbb\xbf/things/a\r\n/things/b # two\n"))
    monkeypatch.setattr("sys.stdin", given)
    assert warm.told("-")["loaded"] == 2
    assert not list(warm.folder.glob("*.warm-state"))


def test_a_sitemap_is_a_list(warm: Warm):
    file = warm.folder / "sitemap.xml"
    file.write_text(
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        "<url><loc>https://any.host/things/a</loc></url></urlset>"
    )
    assert warm.told("--sitemap", str(file))["loaded"] == 1


def test_the_most_requested_are_asked(warm: Warm, origin: Origin):
    key = "gateway:popular:"
    warm.cache.set(f"{key}one", (("/things/a", 5), ("/things/b", 4)), 60)
    warm.cache.set(f"{key}two", (("/things/b", 4), ("/gone", 9), ("/things/c", 1)), 60)
    told = warm.told("--top", "3", "--concurrency", "1")
    assert [one.target for one in origin.asked] == ["/things/b", "/things/a"]
    assert len(told["left_out"]) == 1


def test_without_counts_top_says_so(warm: Warm):
    with pytest.raises(CommandError, match=f"every {popular.EVERY:g} s"):
        warm.run("--top", "3")


@pytest.mark.parametrize(
    "arguments", [(), ("list", "--top", "3"), ("--sitemap", "x", "--top", "1")]
)
def test_one_source_is_needed(warm: Warm, arguments: tuple[str, ...]):
    with pytest.raises(CommandError, match="Name one of these"):
        warm.run(*arguments)


@pytest.mark.parametrize(
    ("option", "text"),
    [("--rate", "fast"), ("--concurrency", "0"), ("--concurrency", "257"), ("--top", "x")],
)
def test_bad_numbers_are_refused(warm: Warm, option: str, text: str):
    with pytest.raises(CommandError, match=text):
        warm.run("list", option, text)


def test_a_list_that_is_not_there_is_told(warm: Warm):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        warm.run(str(warm.folder / "none"))


def test_without_redis_it_refuses(make_warm: Callable[..., Warm]):
    warm = make_warm(tiers="memory")
    with pytest.raises(CommandError, match="TIERCACHE_REDIS_URL is not set"):
        warm.run(warm.list("/things/a"))


@pytest.mark.parametrize("fallback", ["memory", "raise"])
def test_while_redis_is_away_it_refuses(
    make_warm: Callable[..., Warm], origin: Origin, fallback: str
):
    warm = make_warm(tiers="away", OPTIONS={"FALLBACK": fallback})
    with pytest.raises(CommandError, match="nothing would be kept, so nothing was asked"):
        warm.run(warm.list("/things/a"))
    assert origin.count == 0


def test_what_redis_does_not_get_has_failed(
    make_warm: Callable[..., Warm], own_valkey: Callable[..., Any], origin: Origin
):
    server = own_valkey()
    warm = make_warm(LOCATION=f"{server.url}/0")

    def script(request: Request) -> Answer:
        if request.target.endswith("b"):
            server.kill()
        return Answer()

    origin.script = script
    told = warm.told(warm.list("/things/a", "/things/b", "/things/c"), "--concurrency", "1")
    assert (told["loaded"], told["failed"]) == (1, 2)
    assert "Redis takes no writes" in told["failures"][0]["reason"]


def test_a_pool_without_servers_is_told_at_once(
    make_warm: Callable[..., Warm], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("GATEWAY_UPSTREAMS", raising=False)
    warm = make_warm()
    file = warm.folder / "routes.toml"
    text = file.read_text()
    file.write_text(
        text.replace(
            text[text.index("[") : text.index("failures")],
            '[pools.origin]\nservers = "$GATEWAY_UPSTREAMS"\n',
        )
    )
    with pytest.raises(CommandError, match="has no servers here: set GATEWAY_UPSTREAMS"):
        warm.run(warm.list("/things/a"))


def test_wrong_routes_are_told(warm: Warm):
    (warm.folder / "routes.toml").write_text("[")
    with pytest.raises(CommandError, match="The routes are not right"):
        warm.run(warm.list("/things/a"))


def test_before_the_first_request_a_signal_is_told_as_well(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway_project.warming.sources.read", interrupted)
    with pytest.raises(CommandError, match="Stopped") as caught:
        warm.run("list")
    assert caught.value.returncode == 130


def test_top_says_that_redis_is_away(make_warm: Callable[..., Warm]):
    warm = make_warm(tiers="away", OPTIONS={"FALLBACK": "raise"})
    with pytest.raises(
        CommandError, match=r"Redis is away \(refused\), which has what the workers"
    ):
        warm.run("--top", "3")
