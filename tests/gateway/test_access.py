"""Who may come in, and what a foreign page cannot make a browser do."""

import pytest

from chassis.errors import Denied, Invalid
from chassis.settings import SettingsError, is_loopback, read
from gateway.access import guard_browser
from gateway.settings import Settings

HERE = "http://127.0.0.1:8080"
SECRET = {"SERVICE_SECRET": "x" * 16}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_changes_nothing(site):
    with pytest.raises(Denied):
        guard_browser("POST", {"host": "127.0.0.1:8080", "sec-fetch-site": site}, HERE)


@pytest.mark.parametrize(
    ("method", "site"), [("GET", "cross-site"), ("POST", "same-origin"), ("POST", "none")]
)
def test_our_own_page_and_links_to_us_work(method, site):
    guard_browser(method, {"host": "127.0.0.1:8080", "sec-fetch-site": site}, HERE)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:3000", "http://studio.example.evil",
     "http://[::1", "http://127.0.0.1:8081"],
)  # fmt: skip
def test_an_older_browser_s_page_of_another_site_changes_nothing(origin):
    for public in (HERE, "https://studio.example"):
        with pytest.raises(Denied, match="another site"):
            guard_browser("POST", {"host": "127.0.0.1:8080", "origin": origin}, public)


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1:8080", "http://127.0.0.1:8080"), ("localhost:8080", "http://localhost:8080"),
     ("127.0.0.1:8080", "https://studio.example"), ("[::1]:8080", "http://[::1]:8080")],
)  # fmt: skip
def test_an_older_browser_s_page_of_ours_works(host, origin):
    guard_browser("POST", {"host": host, "origin": origin}, "https://studio.example")


def test_a_page_of_another_site_may_link_to_us():
    guard_browser("GET", {"host": "127.0.0.1:8080", "origin": "https://evil.example"}, HERE)


def test_a_name_that_was_turned_to_this_machine_is_refused():
    with pytest.raises(Denied, match="evil"):
        guard_browser("GET", {"host": "evil.example:8080"}, HERE)


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1:8080", "localhost:7080", "[::1]:8080", "10.0.0.7:8080", "gateway:7080",
     "studio.example", "a.localhost"],
)  # fmt: skip
def test_names_that_are_ours_or_no_names_pass(host):
    guard_browser("POST", {"host": host}, "https://studio.example")


def test_a_host_that_is_none_is_refused():
    with pytest.raises(Invalid):
        guard_browser("GET", {"host": "[::1"}, HERE)


def test_without_keys_only_this_machine_is_served():
    with pytest.raises(SettingsError, match="AUTH=keys"):
        read(Settings, SECRET | {"AUTH": "none", "PUBLIC_URL": "https://studio.example"})
    assert read(Settings, SECRET | {"AUTH": "keys", "PUBLIC_URL": "https://studio.example"})


def test_all_that_is_wrong_with_the_settings_is_told_at_once():
    with pytest.raises(SettingsError) as failure:
        read(Settings, {"PUBLIC_URL": "127.0.0.1", "GATEWAY_PORT": "50000", "AUTH": "maybe"})
    told = " ".join(failure.value.problems)
    assert all(name in told for name in ("PUBLIC_URL", "GATEWAY_PORT", "AUTH", "SERVICE_SECRET"))


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a/b", "http://a?b", "http://u@a"])
def test_an_address_is_a_host_and_a_port(url):
    with pytest.raises(SettingsError):
        read(Settings, SECRET | {"AUTH": "keys", "PUBLIC_URL": url})


def test_the_secret_is_never_printed():
    assert "x" * 16 not in repr(read(Settings, SECRET))


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_loopback_is_this_machine_alone(host, here):
    assert is_loopback(host) is here
