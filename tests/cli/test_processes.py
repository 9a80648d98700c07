"""What each process of a stack is told: what it needs, and no secret else; and the lab."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from cli import vendors
from cli.folder import Folder
from cli.processes import Process, ports, stack
from cli.settings import CHECKOUT, NAMES, SECRETS, load
from cli.shape import Shape
from services.generator import settings as generator
from services.storage import settings as storage

GIVEN = {
    "REPLICATE_API_TOKEN": "r8_of-ours",
    "REPLICATE_BASE_URL": "http://127.0.0.1:9/replicate",
    "REPLICATE_MAX_IN_FLIGHT": "7",
    "REPLICATE_MAX_PER_MINUTE": "500",
    "RECRAFT_API_TOKEN": "rc-of-ours",
    "RECRAFT_BASE_URL": "http://127.0.0.1:9/recraft",
    "RECRAFT_MAX_IN_FLIGHT": "9",
    "RECRAFT_MAX_PER_MINUTE": "503",
    "ANTHROPIC_API_KEY": "sk-ant-of-ours",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/anthropic",
    "LANGUAGE_MODEL": "gpt-6-luna",
    "LANGUAGE_SECONDS": "44",
    "OPENAI_API_KEY": "sk-of-ours",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/openai/v1",
    "OPENAI_MAX_IN_FLIGHT": "6",
    "OPENAI_MAX_PER_MINUTE": "502",
    "GEMINI_API_KEY": "AIza-of-ours",
    "GEMINI_BASE_URL": "http://127.0.0.1:9/google",
    "GEMINI_MAX_IN_FLIGHT": "8",
    "GEMINI_MAX_PER_MINUTE": "501",
    "LOOKUP_LAG": "31",
    "ORDER_SECONDS": "200",
    "ANSWER_SECONDS": "400",
    "RECONCILE_SECONDS": "301",
    "CLOUDINARY_URL": "cloudinary://key:hidden@cloud",
    "CLOUDINARY_BASE_URL": "http://127.0.0.1:9/cloudinary",
    "PUBLISH_WAIT": "11",
    "DEFAULT_MODEL": "sketch-ink",
    "SPEND_CAP_USD": "25",
    "DISK_RESERVE_MB": "300",
}
WHERE = {
    **dict.fromkeys(GIVEN, "generator-1"),
    **dict.fromkeys(("CLOUDINARY_URL", "CLOUDINARY_BASE_URL", "DISK_RESERVE_MB"), "storage"),
    **dict.fromkeys(("PUBLISH_WAIT", "SPEND_CAP_USD"), "catalog"),
}
_OF_A_VENDOR = r"_API_KEY$|_API_TOKEN$|_BASE_URL$|_MAX_(IN_FLIGHT|PER_MINUTE)$|^CLOUDINARY_"
IN_ALL = ("PUBLIC_URL", "AUTH", "SERVICE_SECRET", "LOG_LEVEL", "OTEL_EXPORTER_OTLP_ENDPOINT")
ALONE = Shape()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "data")
    found.prepare()
    return found


def plan(folder: Folder, shape: Shape = ALONE, **given: str) -> dict[str, Process]:
    settings = load(given, Path("no.env"))
    return {one.name: one for one in stack(settings, folder, shape)}


def test_what_remembers_the_vault_lies_with_the_data_wherever_the_vault_is(folder: Folder) -> None:
    storage = plan(folder, VAULT_URL="file:///mnt/disk/vault")["storage"]
    assert storage.environment["VAULT_ID_FILE"] == str(folder.path / "vault.id")


def test_what_a_process_reads_of_vendors_is_in_every_list() -> None:
    """`GIVEN` is then proven to be sent, to be passed by compose and to be documented."""
    reads = {
        field.metadata["name"]
        for settings in (generator.Settings, storage.Settings)
        for field in fields(settings)
    }
    of_vendors = {name for name in reads if re.search(_OF_A_VENDOR, name)}
    assert of_vendors == {name for name in GIVEN if re.search(_OF_A_VENDOR, name)}
    assert of_vendors <= set(NAMES)
    lab = (CHECKOUT / "deploy" / "lab.env").read_text()
    keys = {name for name in of_vendors if "_MAX_" not in name}
    assert keys == set(re.findall(r"^(\w+)=", lab, re.MULTILINE)) - {"LAB_URL"}
    assert keys == set(vendors.overruled(load(GIVEN, Path("no.env"))))
    assert {name for name in keys if not name.endswith("_BASE_URL")} <= set(SECRETS)


@pytest.mark.parametrize("name", GIVEN)
def test_a_setting_goes_to_who_needs_it_and_to_nobody_else(folder: Folder, name: str) -> None:
    processes = plan(folder, **GIVEN)
    told = {one.name for one in processes.values() if GIVEN[name] in one.environment.values()}
    assert told == {WHERE[name]}
    assert all(processes[one].environment[name] == GIVEN[name] for one in told)


def test_a_secret_of_the_folder_goes_to_who_needs_it(folder: Folder) -> None:
    processes = plan(folder)
    password = folder.secret("nats_password", vendors.Secret("")).reveal()
    told = {n for n, p in processes.items() if any(password in t for t in p.environment.values())}
    assert told == {"nats", "catalog", "generator-1"}
    key = folder.secret("link_key", vendors.Secret("")).reveal()
    assert {n for n, p in processes.items() if key in p.environment.values()} == {"storage"}
    signs = folder.secret("service_secret", vendors.Secret("")).reveal()
    told = {n for n, p in processes.items() if signs in p.environment.values()}
    assert told == {"catalog", "storage", "generator-1", "gateway"}


def test_each_generator_has_a_seat_of_its_own_which_the_next_start_finds_again(
    folder: Folder,
) -> None:
    def seats() -> list[str]:
        processes = plan(folder, Shape(2))
        return [processes[f"generator-{number}"].environment["SEAT"] for number in (1, 2)]

    first, second = seats()
    assert first != second
    assert Path(first).parent == Path(second).parent == folder.seats
    assert folder.seats.is_dir()
    assert seats() == [first, second]


def test_what_is_not_set_is_not_told(folder: Folder) -> None:
    for process in plan(folder).values():
        assert not {"LAB_URL", *GIVEN} - {"DISK_RESERVE_MB"} & set(process.environment)


def test_the_lab_stands_for_every_vendor_even_where_a_real_token_is_set(folder: Folder) -> None:
    processes = plan(folder, Shape(2, lab=True), **GIVEN, LAB_PORT="7911")
    generator = processes["generator-2"].environment
    assert generator["REPLICATE_API_TOKEN"] == "r8_lab"
    assert generator["REPLICATE_BASE_URL"] == "http://127.0.0.1:7911/replicate"
    storage = processes["storage"].environment
    assert storage["CLOUDINARY_URL"] == "cloudinary://lab:lab-secret@lab"
    assert storage["CLOUDINARY_BASE_URL"] == "http://127.0.0.1:7911/cloudinary"
    assert generator["LAB_URL"] == storage["LAB_URL"] == "http://127.0.0.1:7911"
    assert "LAB_URL" not in processes["gateway"].environment
    everything = " ".join(t for p in processes.values() for t in p.environment.values())
    assert "-of-ours" not in everything
    assert "key:hidden@cloud" not in everything


def test_what_the_lab_overrules_is_named() -> None:
    settings = load(GIVEN, Path("no.env"))
    assert vendors.overruled(settings) == [
        "REPLICATE_API_TOKEN", "REPLICATE_BASE_URL", "RECRAFT_API_TOKEN", "RECRAFT_BASE_URL",
        "GEMINI_API_KEY", "GEMINI_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL",
        "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLOUDINARY_URL", "CLOUDINARY_BASE_URL",
    ]  # fmt: skip
    assert vendors.overruled(load({}, Path("no.env"))) == []


def test_the_lab_is_a_process_that_is_there_before_a_generator_and_until_all_are_gone(
    folder: Folder,
) -> None:
    processes = plan(folder, Shape(2, lab=True))
    lab = processes["lab"]
    assert list(processes)[-1] == "lab"
    assert lab.command[-2:] == ["-m", "lab"]
    assert (lab.port, lab.environment["LAB_PORT"], lab.environment["HOST"]) == (
        7900, "7900", "127.0.0.1",
    )  # fmt: skip
    for name in ("generator-1", "generator-2"):
        assert "lab" in processes[name].after
    assert lab.level < min(processes[name].level for name in ("storage", "generator-1"))
    assert "lab" not in plan(folder)


def test_the_lab_s_port_is_looked_at_where_it_runs() -> None:
    settings = load({}, Path("no.env"))
    assert (7900, "the lab", "LAB_PORT") in ports(settings, Shape(lab=True))
    assert 7900 not in [port for port, _, _ in ports(settings, Shape())]


def told(settings: Mapping[str, str]) -> dict[str, str]:
    return dict(vendors.told(load(settings, Path("no.env"))))


def test_each_vendor_is_told_of_and_no_value_shown() -> None:
    lit, dark = told(GIVEN), told({})
    assert "REPLICATE_API_TOKEN is set" in lit["Replicate"]
    assert "http://127.0.0.1:9/cloudinary" in lit["Cloudinary"]
    assert "r8_of-ours" not in str(lit)
    assert "key:hidden" not in str(lit)
    assert all("is not set" in words for words in dark.values())


@pytest.mark.parametrize(
    ("given", "lab", "who"),
    [
        ({}, False, ""), ({"PUBLISH_WAIT": "1", "REPLICATE_BASE_URL": "https://a.test"}, False, ""),
        ({"REPLICATE_API_TOKEN": "r8_a"}, False, "vendors"),
        ({"CLOUDINARY_URL": "cloudinary://a:b@c"}, False, "vendors"),
        ({}, True, "lab"), (GIVEN, True, "lab"),
    ],
)  # fmt: skip
def test_who_stands_for_the_vendors_follows_from_what_is_set(
    given: dict[str, str], lab: bool, who: str
) -> None:
    assert vendors.standing(load(given, Path("no.env")), Shape(lab=lab)) == who


def compose() -> dict[str, Any]:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    return yaml.safe_load(text)["services"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", WHERE)
def test_compose_passes_a_setting_to_the_same_process_and_no_other(name: str) -> None:
    services, service = compose(), WHERE[name]
    assert services[service]["environment"][name] == f"${{{name}:-}}"
    with_it = {one for one, told in services.items() if name in (told.get("environment") or {})}
    assert with_it == ({"generator-1", "generator-2"} if "generator" in service else {service})


def test_in_containers_the_lab_stands_for_the_same_vendors(folder: Folder) -> None:
    lines = (CHECKOUT / "deploy" / "lab.env").read_text().splitlines()
    contained = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    plain = plan(folder, Shape(lab=True))
    here = plain["generator-1"].environment | plain["storage"].environment
    for name, text in contained.items():
        assert here[name].replace("127.0.0.1", "lab") == text
    assert {name for name in here if "7900" in here[name]} <= set(contained)
    assert compose()["lab"]["environment"]["LAB_URL"] == contained["LAB_URL"]
    assert plain["lab"].environment["LAB_URL"] == "http://127.0.0.1:7900"


@pytest.mark.parametrize("name", [*GIVEN, *IN_ALL])
def test_what_compose_passes_is_documented(name: str) -> None:
    page = (CHECKOUT / "docs" / "deploy.md").read_text()
    assert f"`{name}`" in page


def test_a_shape_is_asked_for_as_it_is_told() -> None:
    assert Shape(3, lab=True).to_arguments() == ["--generators", "3", "--lab"]
    assert Shape().to_arguments() == []
    assert str(Shape.of({"generators": 2, "lab": False})) == "2 generators and no lab"
    assert str(Shape.of({})) == "1 generator and no lab"


@pytest.mark.parametrize(
    ("asked", "running", "fits"),
    [(Shape(), Shape(4), True), (Shape(4), Shape(4), True), (Shape(1), Shape(4), False),
     (Shape(lab=True), Shape(), False), (Shape(lab=True), Shape(lab=True), True),
     (Shape(), Shape(lab=True), True)],
)  # fmt: skip
def test_who_asks_for_the_lab_or_a_number_gets_that(
    asked: Shape, running: Shape, fits: bool
) -> None:
    assert asked.fits(running) is fits
