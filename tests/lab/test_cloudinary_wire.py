"""The lab's Cloudinary by plain HTTP: what its official client hides or would never send."""

import base64
import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from PIL import Image

from lab.cloudinary import signing
from lab.cloudinary.cloud import SECRET
from tests import patient
from tests.lab.cloudinary_client import picture, size_of
from tests.ports import free_port

FIVE_MB = 5 * 1024 * 1024


def stamped(**fields: str) -> dict[str, str]:
    fields = {"timestamp": str(int(time.time()))} | fields
    return fields | {"signature": signing.signature(fields, SECRET), "api_key": "lab"}


@pytest.fixture
def cloud(lab):
    """A client under the lab's Cloudinary."""
    with patient.Client(base_url=f"{lab.url}/cloudinary") as found:
        yield found


def uploaded(cloud: httpx.Client, content: bytes, kind: str = "image", headers=None, **fields: str):
    return cloud.post(
        f"/v1_1/lab/{kind}/upload",
        data=stamped(**fields),
        files={"file": ("a.bin", content)},
        headers=headers,
    )


def reason(answer: httpx.Response) -> tuple[int, str]:
    """The refusal, which body and header tell alike."""
    told = answer.json()["error"]["message"]
    assert answer.headers["x-cld-error"] == told
    return answer.status_code, told


def test_a_stale_request(cloud, lab):
    hour_ago = str(int(time.time()) - 3700)
    status, told = reason(uploaded(cloud, picture(), timestamp=hour_ago))
    assert status == 400
    assert told.startswith("Stale request - reported time is 20")
    assert told.endswith("+0000 which is more than 1 hour ago")
    assert lab.assets() == []


def test_the_labs_clock_makes_no_request_stale(cloud, lab):
    lab.advance(7 * 86400)
    told = uploaded(cloud, picture()).json()
    assert told["version"] > time.time() + 6 * 86400
    assert told["created_at"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.mark.parametrize("name", ["signature", "api_key", "timestamp"])
def test_what_must_be_there(cloud, name):
    fields = {key: value for key, value in stamped().items() if key != name}
    if name == "timestamp":
        fields["signature"] = signing.signature({}, SECRET)
    answer = cloud.post("/v1_1/lab/image/upload", data=fields, files={"file": ("a", picture())})
    expected = {
        "signature": (400, "Upload preset must be specified when using unsigned upload"),
        "api_key": (400, "Missing required parameter - api_key"),
        "timestamp": (400, "Missing required parameter - timestamp"),
    }
    assert reason(answer) == expected[name]


def test_a_form_without_a_file(cloud):
    answer = cloud.post("/v1_1/lab/image/upload", data=stamped(public_id="a"))
    assert reason(answer) == (400, "Missing required parameter - file")


def test_an_urlencoded_form_carries_a_data_uri(cloud):
    uri = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    answer = cloud.post("/v1_1/lab/image/upload", data=stamped() | {"file": uri})
    assert answer.json()["bytes"] == len(picture())


@pytest.mark.parametrize("uri", ["data:image/png;base64,%%%", "data:image/png;base64,AAA"])
def test_a_broken_data_uri(cloud, uri):
    answer = cloud.post("/v1_1/lab/image/upload", data=stamped() | {"file": uri})
    assert reason(answer) == (400, "Invalid data URI")


def test_a_redirection_does_not_lead_away_from_loopback(cloud, lab):
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"{lab.url}/_lab/clock")
            self.end_headers()

        def log_message(self, *args):
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.png"
        answer = cloud.post("/v1_1/lab/raw/upload", data=stamped() | {"file": url})
        server.shutdown()
    assert reason(answer) == (400, f"Error in loading {url} - 302 Found")


def test_a_refusal_cannot_write_headers_of_its_own(cloud):
    answer = uploaded(cloud, picture(), public_id="a?\r\nX-Evil: 1\n\u2028ü")
    assert answer.status_code == 400
    assert "x-evil" not in answer.headers
    assert answer.headers["x-cld-error"] == r"public_id (a?  X-Evil: 1 \u2028\xfc) is invalid"


def test_a_broken_form(cloud):
    answer = cloud.post(
        "/v1_1/lab/image/upload",
        content=b"--x\r\nContent-Disposition: form-data\r\n\r\nhalf",
        headers={"Content-Type": "multipart/form-data; boundary=y"},
    )
    assert answer.status_code == 400
    assert "x-cld-error" in answer.headers


def test_a_request_has_a_maximum(cloud, lab):
    status, told = reason(uploaded(cloud, b"x" * (100 * 1024 * 1024 + 1), kind="raw"))
    assert status == 413
    assert told == "Request is too large. Maximum is 104857600 bytes; send chunks."
    assert lab.assets() == []


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing(cloud, lab):
    address = (cloud.base_url.host, cloud.base_url.port)
    with socket.create_connection(address) as raw:
        raw.sendall(
            b"POST /cloudinary/v1_1/lab/image/upload HTTP/1.1\r\nHost: lab\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
        )
    assert cloud.get("/v1_1/lab/ping", auth=("lab", "lab-secret")).json() == {"status": "ok"}
    assert lab.assets() == []


def chunk(cloud: httpx.Client, content: bytes, content_range: str, upload_id: str | None = "u"):
    headers = {"Content-Range": content_range} | (
        {"X-Unique-Upload-Id": upload_id} if upload_id else {}
    )
    return uploaded(cloud, content, kind="raw", headers=headers, public_id="big.bin")


def test_chunks_one_after_the_other(cloud, lab):
    first = chunk(cloud, b"a" * FIVE_MB, f"bytes 0-{FIVE_MB - 1}/-1")
    assert first.json() == {
        "done": False, "bytes": FIVE_MB, "kind": "upload", "resource_type": "raw",
        "public_id": "big.bin",
    }  # fmt: skip
    assert lab.assets() == []
    last = chunk(cloud, b"b" * 9, f"bytes {FIVE_MB}-{FIVE_MB + 8}/{FIVE_MB + 9}")
    assert last.json()["bytes"] == FIVE_MB + 9
    assert cloud.get(last.json()["url"]).content == b"a" * FIVE_MB + b"b" * 9


@pytest.mark.parametrize(
    ("content_range", "told"),
    [
        (f"bytes {FIVE_MB + 1}-{FIVE_MB + 3}/{FIVE_MB + 4}", "Chunks must be sequential"),
        (f"bytes 0-2/{FIVE_MB + 4}", "Chunks must be sequential"),
        (f"bytes {FIVE_MB}-{FIVE_MB + 2}/{FIVE_MB + 3}", "Content-Range total changed"),
        (f"bytes {FIVE_MB}-{FIVE_MB + 9}/{FIVE_MB + 4}", "Content-Range does not match"),
        (f"bytes {FIVE_MB}-{FIVE_MB + 2}/{FIVE_MB + 2}", "Content-Range does not match"),
        ("bytes */9", "Invalid Content-Range"),
    ],
)
def test_chunks_that_do_not_fit(cloud, lab, content_range, told):
    chunk(cloud, b"a" * FIVE_MB, f"bytes 0-{FIVE_MB - 1}/{FIVE_MB + 4}")
    status, why = reason(chunk(cloud, b"abc", content_range))
    assert (status, why.startswith(told)) == (400, True), why
    good = chunk(cloud, b"abcd", f"bytes {FIVE_MB}-{FIVE_MB + 3}/{FIVE_MB + 4}")
    assert good.json()["bytes"] == FIVE_MB + 4


def test_chunks_without_an_id(cloud):
    answer = chunk(cloud, b"abc", "bytes 0-2/3", upload_id=None)
    assert reason(answer) == (400, "Missing required parameter - X-Unique-Upload-Id")


def test_delivery_says_how_long_to_keep_it(cloud):
    told = uploaded(cloud, picture()).json()
    served = cloud.get(told["url"])
    assert served.headers["cache-control"].startswith("public, ")
    assert served.headers["content-type"] == "image/png"
    head = cloud.head(told["url"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(picture()))
    assert head.headers["etag"] == served.headers["etag"] == f'"{told["etag"]}"'
    again = cloud.get(told["url"], headers={"If-None-Match": served.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["a/b.png", "a/b", "v1/a/b.png", "v99/a/b", "v1/a/b.png?_a=x"])
def test_ways_to_the_original(cloud, path):
    uploaded(cloud, picture(), public_id="a/b")
    assert cloud.get(f"/lab/image/upload/{path}").content == picture()


@pytest.mark.parametrize(
    ("path", "size", "name"),
    [
        ("c_fill,h_64,w_64/v1/a/b.png", (64, 64), "PNG"),
        ("c_fill,w_64,h_64/c_scale,w_32/a/b.jpg", (32, 32), "JPEG"),
        ("v1/a/b.webp", (320, 200), "WEBP"),
        ("w_0.5/f_gif/v1/a/b", (160, 100), "GIF"),
    ],
)
def test_derived_images(cloud, path, size, name):
    uploaded(cloud, picture(), public_id="a/b")
    served = cloud.get(f"/lab/image/upload/{path}")
    assert size_of(served.content) == size
    assert Image.open(io.BytesIO(served.content)).format == name
    assert cloud.get(f"/lab/image/upload/{path}").content == served.content


def test_f_auto_asks_what_the_reader_takes(cloud):
    uploaded(cloud, picture(), public_id="a")
    kinds = [
        cloud.get("/lab/image/upload/f_auto/a", headers={"Accept": accept}).headers["content-type"]
        for accept in ("image/webp,*/*", "image/png", "image/webp")
    ]
    assert kinds == ["image/webp", "image/png", "image/webp"]


def test_a_folder_may_look_like_a_step_behind_a_version(cloud):
    uploaded(cloud, picture(), public_id="w_100/a")
    assert cloud.get("/lab/image/upload/v1/w_100/a.png").content == picture()
    assert cloud.get("/lab/image/upload/w_100/a.png").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("v1/none/here.png", 404, "Resource not found - none/here"),
        ("v1/b", 404, "Resource not found - b"),
        ("v1/a.exe", 404, "Resource not found - a.exe"),
        ("c_spin/v1/a.png", 400, "Invalid transformation component - c_spin"),
        ("e_sepia/v1/a.png", 400, "Invalid transformation component - e_sepia"),
        ("s--AAAAAAAA--/v1/a.png", 401, "Invalid signature s--AAAAAAAA--"),
    ],
)
def test_refusals_of_delivery_are_in_the_header_alone(cloud, path, status, told):
    uploaded(cloud, picture(), public_id="a")
    answer = cloud.get(f"/lab/image/upload/{path}")
    assert (answer.status_code, answer.headers["x-cld-error"], answer.content) == (
        status,
        told,
        b"",
    )


def test_another_cloud_has_nothing(cloud):
    uploaded(cloud, picture(), public_id="a")
    answer = cloud.get("/other/image/upload/v1/a.png")
    assert (answer.status_code, answer.headers["x-cld-error"]) == (401, "Invalid cloud_name other")


@pytest.mark.parametrize("authorization", ["", "Basic !", "Basic bGFi", "Bearer x"])
def test_the_admin_api_wants_key_and_secret(cloud, authorization):
    answer = cloud.get("/v1_1/lab/ping", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert "lab-secret" not in answer.text


def test_a_refusal_of_the_admin_api_is_420(cloud, lab):
    lab.vendor("cloudinary", admin_limit=1)
    auth = ("lab", "lab-secret")
    cloud.get("/v1_1/lab/ping", auth=auth)
    status, told = reason(cloud.get("/v1_1/lab/ping", auth=auth))
    assert status == 420
    assert told.startswith("Rate Limit Exceeded. Limit of 1 api operations reached. Try again on ")


def test_a_broken_body_of_an_admin_call_deletes_nothing(cloud, lab):
    uploaded(cloud, picture())
    answer = cloud.request(
        "DELETE", "/v1_1/lab/resources/image/upload", content=b"{", auth=("lab", "lab-secret")
    )
    assert reason(answer) == (400, "Invalid JSON body")
    assert len(lab.assets()) == 1
