"""Range requests of RFC 9110, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.ranges import UnsatisfiableError, is_known, wanted

ETAG = '"00ff"'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("BYTES=0-0", (0, 1)),
        ("bytes=0-1,4-5", None),
        ("bytes=5-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=0-9", None),
        ("", None),
    ],
)
def test_a_range_is_what_the_rfc_says(header, part):
    assert wanted({"range": header}, ETAG, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=1000-1001", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_served(header):
    with pytest.raises(UnsatisfiableError):
        wanted({"range": header}, ETAG, 100)


def test_a_range_of_another_file_is_the_whole_file():
    assert wanted({"range": "bytes=0-9", "if-range": '"else"'}, ETAG, 100) is None
    assert wanted({"range": "bytes=0-9", "if-range": ETAG}, ETAG, 100) == (0, 10)


@pytest.mark.parametrize(
    ("header", "known"),
    [(ETAG, True), (f'"x", W/{ETAG}', True), ("*", True), ('"x"', False), ("", False)],
)
def test_a_client_that_has_it_is_told_so(header, known):
    assert is_known({"if-none-match": header}, ETAG) == known


@given(some.text(), some.integers(1, 10**9))
def test_any_header_is_a_part_of_the_file_or_none(header, size):
    try:
        part = wanted({"range": "bytes=" + header}, ETAG, size)
    except UnsatisfiableError:
        return
    assert part is None or 0 <= part[0] < part[1] <= size
