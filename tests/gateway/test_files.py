"""The links: for ever the same bytes, in parts, from caches, and never as a page."""

import hashlib
from io import BytesIO

import pytest
from PIL import Image

from gateway.routes.files import _headers
from imagestudio.storage.v1.storage_service_pb2 import DownloadHeader
from tests import patient
from tests.system.client import generate


@pytest.fixture(scope="module")
def image(stack) -> dict:
    return generate(stack.url, {"prompt": "an owl"}).completed["images"][0]


@pytest.fixture(scope="module")
def whole(http, image):
    return http.get(image["url"])


def test_a_link_gives_the_bytes_that_were_hashed(image, whole):
    assert hashlib.sha256(whole.content).hexdigest() == image["image_hash"]
    assert whole.headers["content-type"] == image["media_type"]
    assert whole.headers["content-length"] == str(len(whole.content))
    assert Image.open(BytesIO(whole.content)).size == (image["width"], image["height"])


def test_it_may_be_cached_for_ever_and_is_never_taken_for_a_page(image, whole):
    assert whole.headers["etag"] == f'"{image["image_hash"]}"'
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-disposition"].startswith("inline; filename=")
    assert "sandbox" in whole.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("media_type", "sent", "how"),
    [
        ("image/svg+xml", "image/svg+xml", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("application/octet-stream", "application/octet-stream", "attachment"),
    ],
)
def test_what_could_hold_code_is_shown_as_a_picture_or_not_at_all(media_type, sent, how):
    headers = _headers("a" * 26, DownloadHeader(media_type=media_type), '"x"', thumbnail=False)
    policy = {rule.strip() for rule in headers["Content-Security-Policy"].split(";")}
    assert policy == {"sandbox", "default-src 'none'", "style-src 'unsafe-inline'"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == sent
    assert headers["Content-Disposition"].startswith(how)


def test_who_has_it_is_not_sent_it_again(http, image, whole):
    again = http.get(image["url"], headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == whole.headers["etag"]


def test_head_tells_all_but_the_bytes(http, image, whole):
    head = http.head(image["url"])
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("asked", "part"),
    [("0-99", slice(0, 100)), ("100-", slice(100, None)), ("-7", slice(-7, None))],
)
def test_a_part_is_that_part(http, image, whole, asked, part):
    answer = http.get(image["url"], headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == whole.content[part]
    start, stop, _ = part.indices(len(whole.content))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole.content)}"


def test_a_part_behind_the_end_is_416(http, image, whole):
    answer = http.get(image["url"], headers={"Range": f"bytes={len(whole.content)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(whole.content)}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(len(whole.content)) in answer.json()["detail"]


def test_what_is_known_is_304_and_a_head_200_whatever_part_is_asked(http, image, whole):
    behind = {"Range": f"bytes={len(whole.content)}-"}
    known = behind | {"If-None-Match": whole.headers["etag"]}
    assert http.get(image["url"], headers=known).status_code == 304
    assert http.head(image["url"], headers=behind).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/images/models", "/images/jobs", "/"])
def test_head_tells_of_all_that_can_be_read(http, path):
    head, got = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_who_wants_no_bytes_leaves_no_stream_in_the_middle(http, stack, image):
    """What a client breaks off cannot be told from a defect by those who count."""
    url = f"http://127.0.0.1:{stack.port('STORAGE_PORT') + 100}/metrics"

    def counted() -> dict[str, float]:
        """Downloads by how they ended."""
        called = 'method="/imagestudio.storage.v1.StorageService/DownloadAsset"'
        lines = patient.get(url).text.splitlines()
        counts = [one for one in lines if one.startswith("studio_rpc_seconds_count")]
        ours = [one for one in counts if called in one]
        return {one.split('code="')[1].split('"')[0]: float(one.split()[-1]) for one in ours}

    def ends() -> set[str]:
        """How what this asks for ends."""
        before = counted()
        for _ in range(5):
            ask()
        after = counted()
        return {code for code in after if after[code] > before.get(code, 0)}

    def ask() -> None:
        etag = http.head(image["url"]).headers["etag"]
        assert http.get(image["url"], headers={"if-none-match": etag}).status_code == 304
        assert http.get(image["url"], headers={"range": "bytes=99999999-"}).status_code == 416
        last = http.get(image["url"], headers={"range": "bytes=-10"})
        assert (last.status_code, len(last.content)) == (206, 10)
        assert http.get(image["url"], headers={"if-none-match": '"x"'}).status_code == 200

    # What an earlier test broke off may end meanwhile, but it does not each time.
    assert {"OK"} in (ends(), ends(), ends())


def test_a_stream_has_no_head(http):
    assert http.head("/images/events").status_code == 405


def test_a_part_of_what_it_was_before_is_the_whole(http, image, whole):
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert http.get(image["url"], headers=headers).content == whole.content
    headers["If-Range"] = whole.headers["etag"]
    assert http.get(image["url"], headers=headers).status_code == 206


def test_a_thumbnail_is_small_and_as_permanent(http, image):
    answer = http.get(image["thumbnail_url"])
    assert answer.status_code == 200, answer.text
    found = Image.open(BytesIO(answer.content))
    assert max(found.size) <= 512
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert "immutable" in answer.headers["cache-control"]
    known = {"If-None-Match": answer.headers["etag"]}
    assert http.get(image["thumbnail_url"], headers=known).status_code == 304


@pytest.mark.parametrize("link", ["a" * 26, "abc", "A" * 26, "..%2f..%2fetc%2fpasswd"])
@pytest.mark.parametrize("end", ["", "/thumbnail"])
def test_a_link_that_is_none_is_404(http, link, end):
    assert http.get(f"/i/{link}{end}").status_code == 404
