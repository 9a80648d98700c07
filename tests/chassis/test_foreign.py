"""What a foreign page cannot make a browser do, over REST and over gRPC-Web."""

import pytest

from chassis.errors import Denied, Invalid
from chassis.foreign import Guard

HERE = "http://127.0.0.1:8080"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_changes_nothing(site):
    with pytest.raises(Denied):
        Guard().http("POST", {"host": "127.0.0.1:8080", "sec-fetch-site": site})


@pytest.mark.parametrize(
    ("method", "site"), [("GET", "cross-site"), ("POST", "same-origin"), ("POST", "none")]
)
def test_our_own_page_and_links_to_us_work(method, site):
    Guard().http(method, {"host": "127.0.0.1:8080", "sec-fetch-site": site})


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:3000", "http://studio.example.evil",
     "http://[::1", "http://127.0.0.1:8081"],
)  # fmt: skip
def test_an_older_browser_s_page_of_another_site_changes_nothing(origin):
    for public in (HERE, "https://studio.example"):
        with pytest.raises(Denied, match="another site"):
            Guard(public).http("POST", {"host": "127.0.0.1:8080", "origin": origin})


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1:8080", "http://127.0.0.1:8080"), ("localhost:8080", "http://localhost:8080"),
     ("127.0.0.1:8080", "https://studio.example"), ("[::1]:8080", "http://[::1]:8080")],
)  # fmt: skip
def test_an_older_browser_s_page_of_ours_works(host, origin):
    Guard("https://studio.example").http("POST", {"host": host, "origin": origin})


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3999", "null"])
def test_a_page_of_another_site_may_link_to_us_and_reads_nothing_where_there_are_no_keys(origin):
    """A link tells no origin, a script that would read the answer does; a picture has its link."""
    link = {"host": "127.0.0.1:8080", "sec-fetch-site": "cross-site"}
    Guard().http("GET", link)
    Guard().http("GET", link | {"origin": origin}, linked=True)
    Guard(HERE, "keys").http("GET", link | {"origin": origin})
    for script in (link | {"origin": origin}, {"host": "127.0.0.1:8080", "origin": origin}):
        with pytest.raises(Denied, match="another site"):
            Guard().http("GET", script)


def test_our_own_page_reads():
    Guard().http("GET", {"host": "localhost:8080", "origin": "http://localhost:8080"})
    Guard("https://s.example").http("GET", {"host": "gateway:80", "origin": "https://s.example"})


def test_a_name_that_was_turned_to_this_machine_is_refused():
    with pytest.raises(Denied, match="evil"):
        Guard().http("GET", {"host": "evil.example:8080"})


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1:8080", "localhost:7080", "[::1]:8080", "10.0.0.7:8080", "gateway:7080",
     "studio.example", "a.localhost"],
)  # fmt: skip
def test_names_that_are_ours_or_no_names_pass(host):
    Guard("https://studio.example").http("POST", {"host": host})


def test_a_host_that_is_none_is_refused():
    with pytest.raises(Invalid):
        Guard().http("GET", {"host": "[::1"})


@pytest.mark.parametrize(
    "told",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:3000"},
     {"origin": "http://localhost:3999", "sec-fetch-site": "cross-site"},
     {"origin": "http://localhost:8080", "sec-fetch-site": "same-site"}],
    ids=str,
)  # fmt: skip
def test_a_page_of_another_site_calls_nothing_and_is_told_what_to_do(told):
    for check in (Guard().grpc, lambda headers: Guard().http("POST", headers | {"host": HERE[7:]})):
        with pytest.raises(Denied, match="AUTH=keys") as refused:
            check({"x-forwarded-host": HERE[7:]} | told)
        assert refused.value.reason == "FOREIGN_PAGE"


@pytest.mark.parametrize("host", ["evil.example:8080", "evil.example"])
def test_a_page_whose_name_was_turned_to_this_machine_calls_nothing(host):
    for site in ({}, {"sec-fetch-site": "same-origin"}):
        with pytest.raises(Denied, match=r"not evil\.example: open 127") as refused:
            Guard().grpc({"x-forwarded-host": host, "origin": f"http://{host}"} | site)
        assert refused.value.reason == "HOST_UNKNOWN"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "10.0.0.7:8080", "[::1]:80"])
def test_our_own_page_calls(host):
    Guard().grpc({"x-forwarded-host": host, "origin": f"http://{host}"})
    Guard("https://s.example").grpc({"x-forwarded-host": host, "origin": "https://s.example"})


def test_what_is_no_browser_is_asked_nothing():
    Guard().grpc({"x-forwarded-host": "studio.internal:8080", "user-agent": "grpc-go/1.80"})
    Guard().grpc({})


def test_where_keys_are_asked_for_a_page_that_sends_one_is_welcome_and_no_other():
    strict, origin = Guard(HERE, "keys"), {"origin": "http://localhost:3000"}
    strict.grpc(origin | {"x-forwarded-host": "127.0.0.1:8080", "authorization": "Bearer isk_x"})
    strict.http("POST", origin | {"host": "127.0.0.1:8080", "authorization": "Bearer isk_x"})
    for guard, key in ((strict, {}), (Guard(HERE, "none"), {"authorization": "Bearer isk_x"})):
        with pytest.raises(Denied, match="send"):
            guard.grpc(origin | key)
        with pytest.raises(Denied):
            guard.http("POST", origin | key)
