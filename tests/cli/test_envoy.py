"""deploy/envoy.yaml: what the embedded stack changes in it, and what its routes promise."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from cli import envoy

TEXT = envoy.SOURCE.read_text()
PORTS = {"generator": [7003, 7004, 7005], "storage": [7002], "catalog": [7001], "gateway": [7080]}


def sockets(tree: Any) -> list[dict[str, Any]]:
    """Take all socket addresses out of *tree*, in order."""
    if isinstance(tree, dict):
        found = [tree.pop("socket_address")] if "socket_address" in tree else []
        return found + [one for value in tree.values() for one in sockets(value)]
    return [one for value in tree for one in sockets(value)] if isinstance(tree, list) else []


def test_the_embedded_stack_rewrites_addresses_and_ports_and_nothing_else() -> None:
    original = yaml.safe_load(TEXT)
    single = {name: ports[:1] for name, ports in PORTS.items()}
    embedded = yaml.safe_load(envoy.on_loopback(TEXT, 8080, single))
    before, after = sockets(original), sockets(embedded)
    assert original == embedded
    assert {one["address"] for one in after} == {"127.0.0.1"}
    assert [one["port_value"] for one in after] == [one["port_value"] for one in before]


def test_every_generator_becomes_an_endpoint() -> None:
    embedded = yaml.safe_load(envoy.on_loopback(TEXT, 9999, PORTS))
    clusters = {one["name"]: one for one in embedded["static_resources"]["clusters"]}
    ports = [one["port_value"] for one in sockets(clusters["generator"]["load_assignment"])]
    assert ports == [7003, 7004, 7005]
    assert sockets(embedded["static_resources"]["listeners"])[0]["port_value"] == 9999


def manager() -> dict[str, Any]:
    listener = yaml.safe_load(TEXT)["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]  # type: ignore[no-any-return]


def routes(path: str) -> list[dict[str, Any]]:
    """Return the routes that *path* may take: the first for any headers, and those before it."""
    found = []
    for one in manager()["route_config"]["virtual_hosts"][0]["routes"]:
        if matches(one["match"], path):
            found.append(one)
            if "headers" not in one["match"]:
                return found
    raise AssertionError(f"no route for {path}")


def matches(match: dict[str, Any], path: str) -> bool:
    """Tell whether Envoy takes *path* for this, whatever the headers are."""
    if "safe_regex" in match:
        return bool(re.fullmatch(match["safe_regex"]["regex"], path))
    if "path_separated_prefix" in match:
        return f"{path}/".startswith(f"{match['path_separated_prefix']}/")
    return path == match["path"] if "path" in match else path.startswith(match["prefix"])


@pytest.mark.parametrize(
    "path",
    ["/images/generate/stream", "/images/analyze-references/stream",
     "/images/prompt-suggestions/stream", "/images/jobs/17/events", "/images/events",
     "/i/abc", "/i/abc/thumbnail",
     "/imagestudio.generator.v1.GeneratorService/GenerateImages",
     "/imagestudio.generator.v1.GeneratorService/WatchGeneration",
     "/imagestudio.generator.v1.GeneratorService/GetGeneration",
     "/imagestudio.storage.v1.StorageService/DownloadAsset",
     "/imagestudio.catalog.v1.CatalogService/WatchUser"],
)  # fmt: skip
def test_what_may_take_long_has_no_route_timeout(path: str) -> None:
    assert {one["route"]["timeout"] for one in routes(path)} == {"0s"}


@pytest.mark.parametrize(
    ("path", "cluster"),
    [("/", "gateway"), ("/images/jobs", "gateway"), ("/images/jobs/17/eventsx", "gateway"),
     ("/imagestudio.storage.v1.StorageService/GetAsset", "storage"),
     ("/imagestudio.catalog.v1.CatalogService/ListJobs", "catalog"),
     ("/imagestudio.catalog.v1.CatalogService/CreateApiKey", "catalog"),
     ("/imagestudio.generator.v1.GeneratorService/StartGeneration", "generator"),
     ("/grpc.health.v1.Health/Check", "generator"),
     ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "generator")],
)  # fmt: skip
def test_everything_reaches_its_service(path: str, cluster: str) -> None:
    assert {one["route"]["cluster"] for one in routes(path)} == {cluster}


@pytest.mark.parametrize(
    "path",
    ["/imagestudio.catalog.v1.LedgerService/Admit", "/imagestudio.catalog.v1.LedgerService/Apply",
     "/imagestudio.catalog.v2.CatalogService/GetJob", "/metrics", "/metrics/"],
)  # fmt: skip
def test_what_is_not_for_others_is_not_routed(path: str) -> None:
    assert [one["direct_response"] for one in routes(path)] == [{"status": 404}]


def test_a_service_s_token_from_outside_is_taken_away() -> None:
    assert "x-service-token" in manager()["route_config"]["request_headers_to_remove"]


def test_only_json_and_pages_are_compressed() -> None:
    compressor = next(one for one in manager()["http_filters"] if "compressor" in one["name"])
    common = compressor["typed_config"]["response_direction_config"]["common_config"]
    prefixes = [one["prefix"] for one in common["content_type_matcher"]]
    assert prefixes == ["application/json", "application/problem+json", "text/html"]


def patience(retries: dict[str, Any]) -> float:
    """The seconds that a call waits on average for who is away: each wait is up to an interval."""
    base, most = (float(each[:-1]) for each in retries["retry_back_off"].values())
    return sum(min(base * 2**nth, most) / 2 for nth in range(retries["num_retries"]))


@pytest.mark.parametrize("path", ["/", "/i/abc", "/images/events", "/images/generate/stream"])
def test_a_call_waits_some_twenty_seconds_for_a_gateway_that_is_away(path: str) -> None:
    for route in routes(path):
        assert 18 <= patience(route["route"]["retry_policy"]) <= 25


def test_there_is_no_admin_listener() -> None:
    assert "admin" not in yaml.safe_load(TEXT)


def test_thousands_of_streams_fit() -> None:
    for cluster in yaml.safe_load(TEXT)["static_resources"]["clusters"]:
        assert cluster["circuit_breakers"]["thresholds"][0]["max_requests"] == 50000
