"""Settings: all that is wrong at once, and no secret in what is printed."""

from dataclasses import dataclass

import pytest

from chassis import settings


@dataclass(frozen=True)
class Example:
    port: int = settings.setting("PORT", settings.port, default="7001")
    secret: settings.Secret = settings.setting("SECRET", settings.secret)
    auth: str = settings.setting("AUTH", settings.one_of("none", "keys"), default="none")
    seconds: float = settings.setting("SECONDS", settings.positive, help="Give seconds.")


def test_defaults_stand_in_for_what_is_not_set():
    found = settings.read(Example, {"SECRET": "s" * 16, "SECONDS": "2.5"})
    assert (found.port, found.auth, found.seconds) == (7001, "none", 2.5)
    assert found.secret.reveal() == "s" * 16


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(settings.SettingsError) as refusal:
        settings.read(Example, {"PORT": "50051", "SECRET": "short", "AUTH": "oidc"})
    assert len(refusal.value.problems) == 4
    assert refusal.value.problems[-1] == "SECONDS is not set. Give seconds."


@pytest.mark.parametrize("render", [str, repr, "{}".format, "{!r}".format, "%s".__mod__])
def test_a_secret_never_prints(render):
    assert "hunter2" not in render(settings.Secret("hunter2hunter2hunter2"))


def test_a_start_that_cannot_work_ends_with_78(capsys):
    with pytest.raises(SystemExit) as end:
        settings.give_up(settings.SettingsError(["A is not set.", "B is malformed."]))
    assert end.value.code == 78
    assert capsys.readouterr().err.count("settings: ") == 2
