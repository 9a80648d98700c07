"""The pages stand on no other host, run nothing that is not in them, and describe every route."""

import re

import pytest

from gateway.app import routes
from gateway.routes import files, health, jobs, models, pages, presets, variants

PAGES = ["/", "/docs"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_other_host(http, path):
    page = http.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", page.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_only_what_is_in_it(http, path):
    policy = http.get(path).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]+'", rules["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/=]+'", rules["style-src"])
    assert "unsafe" not in policy
    assert rules["frame-ancestors"] == "'none'"
    assert "https:" in rules["img-src"].split()  # a CDN's pictures
    assert {"http:", "*"}.isdisjoint(rules["img-src"].split())


def test_the_description_is_served_and_is_that_of_the_routes(http):
    assert http.get("/openapi.json").json() == routes().openapi()


def test_every_route_is_described_with_what_it_answers_and_refuses():
    described = routes().openapi()["paths"]
    for path, methods in described.items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            for code, response in operation["responses"].items():
                if int(code) >= 400:
                    assert "application/problem+json" in response["content"], where
                elif code in {"200", "201", "202"}:
                    assert response["content"], where
            if path.startswith("/images"):
                assert {"400", "401", "403", "503"} <= set(operation["responses"]), where


def test_no_route_is_left_out_of_the_description_but_pages_and_metrics():
    parts = (files, health, jobs, models, pages, presets, variants)
    there = {route.path for part in parts for route in part.router.routes}
    assert there - set(routes().openapi()["paths"]) == {"/", "/docs", "/favicon.ico", "/metrics"}
