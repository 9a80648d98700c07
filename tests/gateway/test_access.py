"""Who may come in, by the settings."""

import pytest

from chassis.settings import SettingsError, is_loopback, read
from gateway.settings import Settings

SECRET = {"SERVICE_SECRET": "x" * 16}


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
