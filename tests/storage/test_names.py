"""Names and links."""

import pytest

from chassis.errors import Invalid, Missing
from services.storage.names import Links, check_purchase, parse, parse_range

PURCHASE = "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b21"


def test_a_link_is_always_the_same_and_tells_user_and_bytes_apart():
    links, other = Links(b"k" * 16), Links(b"another key, 1234")
    link = links.of(7, "ab" * 32)
    assert link == "vmssaspposafybtapgft2m3eaa"  # never to change: links live for ever
    different = {link, links.of(8, "ab" * 32), links.of(7, "cd" * 32), other.of(7, "ab" * 32)}
    assert len(different) == 4
    assert parse(f"links/{link}").link == link


@pytest.mark.parametrize(
    "name",
    [
        "",
        "links/",
        "links/../../etc/passwd",
        "links/" + "a" * 25,
        "links/" + "A" * 26,
        "links/" + "a" * 26 + "\n",
        "links/" + "a" * 24 + "/..",
        "assets/" + "g" * 64,
        "receipts/" + "../" * 12,
        "files/aa/" + "a" * 26,
        "x" * 100_000,
        "links/\0",
    ],
    ids=lambda name: repr(name[:40]),
)
def test_a_name_that_cannot_be_ours_is_missing(name):
    with pytest.raises((Missing, Invalid)) as refusal:
        check_purchase(parse(name).receipt)  # a receipt's name is looked at once more
    assert len(refusal.value.message) < 300


def test_a_range_names_a_part_of_the_same_purchases_receipt():
    part = parse_range(f"receipt:{PURCHASE}#10-30", PURCHASE)
    assert (part.purchase_id, part.start, part.stop, part.raw) == (PURCHASE, 10, 30, False)
    assert parse_range(f"receipt:{PURCHASE}#10-30;raw", PURCHASE).raw


@pytest.mark.parametrize(
    "source",
    [
        "https://example.com/a.png",
        f"receipt:{PURCHASE}",
        f"receipt:{PURCHASE}#30-10",
        f"receipt:{PURCHASE}#10-10",
        f"receipt:{PURCHASE}#10-30;base64",
        f"receipt:{PURCHASE}#-1-10",
        f"receipt:{PURCHASE}#1-9999999999999999999",
        f"receipt:{PURCHASE.replace('0192', '0193')}#10-30",
        "receipt:../../../../../../../../etc/shadow#0-10",
    ],
)
def test_any_other_source_is_refused(source):
    with pytest.raises(Invalid) as refusal:
        parse_range(source, PURCHASE)
    assert refusal.value.reason == "REQUEST_INVALID"
    assert "source_uri" in refusal.value.fields


@pytest.mark.parametrize(
    "purchase_id", ["", "7", PURCHASE.upper(), f"{{{PURCHASE}}}", f"{PURCHASE}\n", "../" * 12]
)
def test_a_purchase_is_a_uuid(purchase_id):
    with pytest.raises(Invalid):
        check_purchase(purchase_id)
    assert check_purchase(PURCHASE) == PURCHASE
