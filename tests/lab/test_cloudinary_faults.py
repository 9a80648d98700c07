"""Bad days at the lab's Cloudinary: answers that get lost, refusals, pages, halves."""

import asyncio
import hashlib
import time

import cloudinary
import httpx
import pytest
from cloudinary import api, exceptions, uploader, utils

from tests import patient
from tests.lab.cloudinary_client import configured, picture


@pytest.fixture(autouse=True)
def client(lab, monkeypatch):
    with configured(lab, monkeypatch):
        yield


def fault(lab, kind: str, where: str = "upload", **more) -> None:
    lab.faults([{"vendor": "cloudinary", "where": where, "kind": kind, **more}])


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def signed(**fields: str) -> dict[str, str]:
    """The fields of an upload as the official client signs them."""
    stamped = {"timestamp": str(int(time.time()))} | fields
    return utils.sign_request(stamped, {})


def sent(lab, content: bytes = b"", *, headers=None, timeout: float = 20, **fields: str):
    """One upload by plain HTTP, which hides nothing and sends nothing twice."""
    return patient.post(
        f"{lab.url}/cloudinary/v1_1/lab/{fields.pop('kind', 'image')}/upload",
        data=signed(**fields),
        files={"file": ("a.png", content)},
        headers=headers,
        timeout=timeout,
    )


def test_a_lost_answer_costs_nothing_to_whoever_does_not_overwrite(lab):
    content = picture()
    fault(lab, "drop_after", times=1)
    with pytest.raises(httpx.TransportError):
        sent(lab, content, public_id="one", overwrite="0")
    (kept,) = lab.assets()
    again = sent(lab, content, public_id="one", overwrite="0")
    assert again.json()["existing"] is True
    assert again.json()["etag"] == hashlib.md5(content).hexdigest()
    assert lab.assets() == [kept]
    assert kept["sha256"] == sha256(content)


def test_a_call_that_never_came_left_nothing(lab):
    fault(lab, "drop_before", times=1)
    with pytest.raises(httpx.TransportError):
        sent(lab, picture(), public_id="one")
    assert lab.assets() == []


def test_half_an_answer_is_of_a_whole_upload(lab):
    fault(lab, "truncate", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sent(lab, picture(), public_id="one")
    assert [asset["sha256"] for asset in lab.assets()] == [sha256(picture())]


def test_an_answer_that_hangs_is_of_a_whole_upload(lab):
    fault(lab, "hang:3600", times=1)
    with pytest.raises(httpx.ReadTimeout):
        sent(lab, picture(), public_id="one", timeout=3)
    assert [asset["public_id"] for asset in lab.assets()] == ["one"]


def test_an_answer_may_come_late(lab):
    fault(lab, "delay:200", times=1)
    began = time.monotonic()
    assert sent(lab, picture()).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_an_upload_sent_twice_by_the_network_is_one_asset(lab):
    fault(lab, "duplicate", times=1)
    told = sent(lab, picture(), public_id="one", overwrite="0").json()
    assert told["existing"] is True
    assert [asset["sha256"] for asset in lab.assets()] == [sha256(picture())]


async def test_two_at_once_make_one_asset(lab):
    contents = [picture(seed=seed) for seed in range(6)]
    told = await asyncio.gather(
        *(
            asyncio.to_thread(sent, lab, content, public_id="one", overwrite="0")
            for content in contents
        )
    )
    assert sorted("existing" in answer.json() for answer in told) == [False] + [True] * 5
    assert len({answer.json()["asset_id"] for answer in told}) == 1
    assert len(lab.assets()) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (420, exceptions.RateLimited),
        (423, exceptions.Error),
        (429, exceptions.RateLimited),
        (500, exceptions.GeneralError),
        (502, exceptions.Error),
        (503, exceptions.GeneralError),
    ],
)
def test_refusals_are_the_official_clients_exceptions(lab, status, error):
    fault(lab, f"status:{status}")
    with pytest.raises(error) as caught:
        uploader.upload(picture())
    assert type(caught.value) is error
    told = uploader.upload(picture(), return_error=True)["error"]
    assert told["http_code"] == status
    assert told["message"] == str(caught.value)
    assert lab.assets() == []


def test_a_page_where_json_was_expected(lab):
    fault(lab, "html:502")
    with pytest.raises(exceptions.Error, match=r"Error parsing server response \(502\)"):
        uploader.upload(picture())


def test_the_official_client_does_not_send_an_upload_again_by_itself(lab):
    fault(lab, "drop_after")
    with pytest.raises(exceptions.Error, match=r"RemoteDisconnected|ConnectionReset"):
        uploader.upload(picture())
    assert lab.requests()["cloudinary"]["upload"] == 1
    assert len(lab.assets()) == 1


def test_the_official_client_gives_up_in_time(lab):
    fault(lab, "hang:3600")
    with pytest.raises(exceptions.Error, match="timed out"):
        uploader.upload(picture(), timeout=0.3)


def test_admin_and_deletions_have_bad_days_too(lab):
    uploader.upload(picture(), public_id="a")
    fault(lab, "status:500", "get")
    with pytest.raises(exceptions.GeneralError):
        api.resource("a")
    fault(lab, "drop_after", "delete", times=1)
    with pytest.raises(exceptions.Error):
        uploader.destroy("a")
    assert lab.assets() == []
    assert uploader.destroy("a")["result"] == "not found"


def test_delivery_has_bad_days_too(lab):
    url = uploader.upload(picture())["url"]
    fault(lab, "status:503", "delivery")
    refused = patient.get(url)
    assert (refused.status_code, refused.content) == (503, b"")
    assert refused.headers["x-cld-error"] == "Service Unavailable"
    fault(lab, "html", "delivery")
    assert patient.get(url).headers["content-type"].startswith("text/html")
    fault(lab, "truncate", "delivery")
    with pytest.raises(httpx.RemoteProtocolError):
        patient.get(url)
    fault(lab, "hang:3600", "delivery")
    with pytest.raises(httpx.ReadTimeout):
        patient.get(url, timeout=0.3)
    lab.faults([])
    assert patient.get(url).content == picture()


def test_a_reset_forgets_everything(lab):
    url = uploader.upload(picture())["url"]
    lab.vendor("cloudinary", admin_limit=1)
    api.ping()
    lab.reset()
    assert lab.assets() == []
    assert patient.get(url).status_code == 404
    assert api.ping().rate_limit_allowed == 500


@pytest.mark.parametrize("setting", ["image_max_bytes", "admin_limit"])
@pytest.mark.parametrize("value", [0, -1, "x", True, 1.5])
def test_settings_that_make_no_sense(lab, setting, value):
    with pytest.raises(AssertionError, match=f"400 {setting} is .*, and no whole number from 1"):
        lab.vendor("cloudinary", **{setting: value})


@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_it_is_instant_or_is_not(lab, value):
    with pytest.raises(AssertionError, match=r"400 instant is .*, and neither true nor false"):
        lab.vendor("cloudinary", instant=value)


def test_this_is_the_official_client():
    assert cloudinary.VERSION.startswith("1.46.")
