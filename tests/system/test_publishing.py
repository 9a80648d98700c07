"""From a prompt to the CDN and over its bad days, on a whole stack with the lab behind it."""

import hashlib
import json
import urllib.request

import pytest

from tests import patient
from tests.ports import free_port
from tests.system.client import generate, prove_whole
from tests.system.stack import running_stack

PROMPT = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}


@pytest.fixture(scope="module")
def studio():
    port = str(free_port())
    with running_stack("--lab", LAB_PORT=port, PUBLISH_WAIT="2", WORKER_PATIENCE="1") as stack:
        yield stack


class Cdn:
    """The lab's control, as far as it is the CDN's."""

    def __init__(self, stack) -> None:
        self.url = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab"

    def assets(self) -> dict[str, dict[str, str]]:
        return {one["public_id"]: one for one in self.ask("GET", "assets")}

    def faults(self, *found: dict[str, object]) -> None:
        self.ask("PUT", "faults", list(found))

    def ask(self, method: str, path: str, body: object = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


DOWN = {"vendor": "cloudinary", "where": "upload", "kind": "status:503", "rate": 1.0}


def links(job):
    return {image["url"].rpartition("/")[2] for image in job.of("image_kept")}


def shown(studio, job) -> list[dict[str, str]]:
    return patient.get(f"{studio.url}{job.url}").json()["images"]


def test_completed_shows_what_the_cdn_serves(studio):
    job, cdn = generate(studio.url, PROMPT | {"count": 3}), Cdn(studio)
    prove_whole(job, 3)
    assert len(job.of("image_published")) == 3
    kinds = [kind for kind, _number in job.durable]
    assert kinds[-1] == "completed"
    held = cdn.assets()
    for image in job.completed["images"]:
        assert "/cloudinary/" in image["url"]
        [link] = [link for link in held if link in image["url"]]
        assert held[link]["sha256"] == image["image_hash"]
        assert held[link]["display_name"] == f"sketch_{image['job_id']}_{image['version_number']}"
        preview = patient.get(image["thumbnail_url"])
        assert preview.headers["content-type"] == "image/webp"
    for image in job.of("image_kept"):  # the vault's links go on
        found = patient.get(image["url"]).content
        assert hashlib.sha256(found).hexdigest() == image["image_hash"]


def test_an_outage_holds_a_job_up_for_the_wait_alone_and_is_made_up_for(studio):
    cdn = Cdn(studio)
    cdn.faults(DOWN)
    job = generate(studio.url, PROMPT | {"count": 2})
    prove_whole(job, 2)
    assert not job.of("image_published")
    assert not any("/cloudinary/" in image["url"] for image in job.completed["images"])
    cdn.ask("DELETE", "faults")
    studio.await_(lambda: links(job) <= set(cdn.assets()))
    studio.await_(lambda: all("/cloudinary/" in image["url"] for image in shown(studio, job)))
    assert patient.get(f"{studio.url}{job.url}/events?after={job.last}").status_code == 204


def test_a_generators_death_between_vault_and_cdn_is_made_up_for(studio):
    cdn = Cdn(studio)
    cdn.faults(DOWN | {"kind": "hang:60", "times": 1})  # not its successor's upload, however soon
    job = generate(studio.url, PROMPT)
    studio.kill_and_await("generator-1")
    studio.await_(lambda: links(job) <= set(cdn.assets()))
    studio.await_(lambda: all("/cloudinary/" in image["url"] for image in shown(studio, job)))
