"""Cloudinary's adapter against the lab, which checks signatures and really makes previews."""

import pytest

from chassis.settings import Secret
from services.storage.cdn import Account, Busy, Refused
from services.storage.cdns.cloudinary import Cloudinary, session
from tests.lab.process import running_lab
from tests.storage import cdn_suite
from tests.storage.cdn_suite import LINK, file
from tests.storage.pictures import picture


@pytest.fixture(scope="session")
def _lab():
    with running_lab() as lab:
        yield lab


@pytest.fixture
def lab(_lab):
    _lab.reset()
    return _lab


@pytest.fixture
async def make(lab):
    made = []

    def adapter(secret="lab-secret", **options):
        account = Account(key="lab", secret=Secret(secret), cloud="lab")
        base = f"{lab.url}/cloudinary"
        made.append(Cloudinary(http=session(), base=base, account=account, **options))
        return made[-1]

    yield adapter
    for each in made:
        await each.close()


class TestTheLabKeepsTheSuite(cdn_suite.CdnSuite):
    @pytest.fixture
    async def adapter(self, make):
        return make(chunk=5_243_000)

    @pytest.fixture
    def held(self, lab):
        return lambda: {asset["public_id"]: asset["sha256"] for asset in lab.assets()}

    @pytest.fixture
    def large(self):
        return picture(size=(1500, 1500))


async def test_names_and_folders_are_as_people_shall_see_them(make, lab):
    await make().publish(file(picture()))
    [asset] = lab.assets()
    assert (asset["asset_folder"], asset["display_name"]) == ("image_gen/7", "flux_12_3")


async def test_a_lost_answer_costs_nothing(make, lab):
    lab.faults([{"vendor": "cloudinary", "where": "upload", "kind": "drop_after", "times": 1}])
    with pytest.raises(Busy):
        await make().publish(file(picture()))
    assert len(lab.assets()) == 1
    await make().publish(file(picture()))
    assert len(lab.assets()) == 1


@pytest.mark.parametrize("kind", ["status:420", "status:423", "status:503", "html", "drop_before"])
async def test_a_bad_day_passes(make, lab, kind):
    lab.faults([{"vendor": "cloudinary", "where": "upload", "kind": kind, "times": 1}])
    with pytest.raises(Busy):
        await make().publish(file(picture()))
    await make().publish(file(picture()))
    assert [asset["public_id"] for asset in lab.assets()] == [LINK]


async def test_a_wrong_secret_and_a_file_too_large_are_refused_in_words(make, lab):
    with pytest.raises(Refused, match="Invalid Signature") as refused:
        await make(secret="lab-secret-with-a-typo").publish(file(picture()))
    assert "typo" not in str(refused.value)
    lab.vendor("cloudinary", image_max_bytes=100)
    with pytest.raises(Refused, match="File size too large"):
        await make().publish(file(picture()))
    assert not lab.assets()
