"""Settings: the environment wins, all problems at once, secrets never shown."""

from pathlib import Path

import pytest

from chassis.settings import SettingsError
from cli.settings import load


def problems(environment: dict[str, str], env_file: Path) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(environment, env_file)
    return error.value.problems


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_without_any_setting_a_stack_runs_on_loopback(env_file: Path) -> None:
    settings = load({}, env_file)
    assert (settings.address, settings.auth) == ("http://127.0.0.1:8080", "none")


def test_the_environment_wins_over_the_file(env_file: Path) -> None:
    env_file.write_text("EDGE_PORT=9000\nGATEWAY_PORT=9001\n")
    settings = load({"EDGE_PORT": "9002"}, env_file)
    assert (settings.edge, settings.gateway) == (9002, 9001)


@pytest.mark.parametrize(
    "line",
    ["EDGE_PORT=9000", "export EDGE_PORT=9000", "EDGE_PORT = '9000'", 'EDGE_PORT="9000"  ',
     "EDGE_PORT=9000 # the edge", "# a comment\n\nEDGE_PORT=9000"],
)  # fmt: skip
def test_the_file_is_read_as_people_write_it(env_file: Path, line: str) -> None:
    env_file.write_text(f"{line}\n")
    assert load({}, env_file).edge == 9000


def test_all_that_is_wrong_is_listed_at_once(env_file: Path) -> None:
    env_file.write_text("EDGE_PROT=9000\nthis is no line\nSPEND_CAP_USD=a lot\n")
    found = "\n".join(problems({"AUTH": "maybe", "NATS_PORT": "70000"}, env_file))
    for words in ("line 1: EDGE_PROT is no setting; did you mean EDGE_PORT?", "line 2",
                  "SPEND_CAP_USD", "AUTH", "NATS_PORT"):  # fmt: skip
        assert words in found


def test_an_unknown_name_in_the_environment_is_none_of_our_business(env_file: Path) -> None:
    assert load({"EDGE_PROT": "9000"}, env_file).edge == 8080


def test_a_problem_never_repeats_a_secret(env_file: Path) -> None:
    env_file.write_text("SERVICE_SECRET=short-one\nWHAT_IS_THIS=hunter2hunter2\n")
    found = "\n".join(problems({"DATABASE_URL": "mysql://me:letmein@h/d"}, env_file))
    for secret in ("short-one", "hunter2", "letmein"):
        assert secret not in found


def test_secrets_do_not_print(env_file: Path) -> None:
    urls = {"DATABASE_URL": "postgresql://me:letmein@h/d", "NATS_URL": "nats://me:letmein@h"}
    given = {"SERVICE_SECRET": "s" * 20, "LINK_KEY": "l" * 20, "STUDIO_API_KEY": "isk_abc"} | urls
    shown = f"{load(given, env_file)!r} {load(given, env_file)}"
    for secret in ("s" * 20, "l" * 20, "isk_abc", "letmein"):
        assert secret not in shown


def test_two_processes_cannot_have_one_port(env_file: Path) -> None:
    found = problems({"EDGE_PORT": "7080", "STORAGE_PORT": "7101"}, env_file)
    assert len(found) == 2
    assert "both 7080" in found[0]
    assert "both 7101" in found[1]


@pytest.mark.parametrize(
    ("public", "open_to_all"),
    [("http://localhost:8080", False), ("http://127.3.2.1", False), ("http://[::1]:80", False),
     ("https://studio.example.com", True), ("http://192.168.1.5:8080", True)],
)  # fmt: skip
def test_without_keys_only_this_machine_is_served(
    env_file: Path, public: str, *, open_to_all: bool
) -> None:
    if open_to_all:
        assert "AUTH=keys" in problems({"PUBLIC_URL": public}, env_file)[0]
    else:
        assert load({"PUBLIC_URL": public}, env_file).public == public
    assert load({"PUBLIC_URL": public, "AUTH": "keys"}, env_file).auth == "keys"


def test_what_docker_compose_needs_may_stand_in_the_same_file(env_file: Path) -> None:
    env_file.write_text("POSTGRES_PASSWORD=p\nNATS_PASSWORD=n\n")
    assert load({}, env_file).edge == 8080


@pytest.mark.parametrize(
    ("name", "text"),
    [("REPLICATE_API_TOKEN", "r8 hunter2"), ("REPLICATE_BASE_URL", "ftp://hunter2"),
     ("REPLICATE_BASE_URL", "http://u:hunter2@h"), ("REPLICATE_BASE_URL", "http://h/?t=hunter2"),
     ("CLOUDINARY_URL", "cloudinary://hunter2@cloud"), ("CLOUDINARY_URL", "https://hunter2"),
     ("CLOUDINARY_URL", "cloudinary://key:hunter2@my cloud"),
     ("CLOUDINARY_BASE_URL", "//hunter2"), ("REPLICATE_MAX_IN_FLIGHT", "-1"),
     ("REPLICATE_MAX_PER_MINUTE", "many"), ("LAB_PORT", "70000"), ("LANGUAGE_SECONDS", "51")],
)  # fmt: skip
def test_what_a_vendor_s_setting_is_not_is_told_without_its_value(
    env_file: Path, name: str, text: str
) -> None:
    (found,) = problems({name: text}, env_file)
    assert name in found
    assert "hunter2" not in found


@pytest.mark.parametrize("url", ["http://u:SEKRET@collector:4318", "http://collector:SEKRET"])
def test_an_address_that_doctor_shows_has_no_secret_in_it(env_file: Path, url: str) -> None:
    with pytest.raises(SettingsError) as failure:
        load({"OTEL_EXPORTER_OTLP_ENDPOINT": url}, env_file)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in str(failure.value)
    assert "u:SEKRET" not in str(failure.value)
