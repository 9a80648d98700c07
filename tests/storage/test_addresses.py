"""Which addresses are public: the rows of the registries, their edges, and what embeds IPv4."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storage.addresses import is_public

REFUSED_4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
    "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip
REFUSED = [
    "0.0.0.0", "127.0.0.1", "127.255.255.254", "10.1.2.3", "169.254.169.254", "169.254.170.2",
    "168.63.129.16", "100.100.100.200", "192.168.1.1", "224.0.0.1", "239.255.255.250",
    "255.255.255.255", "240.0.0.1", "198.19.255.255", "192.0.0.192", "192.88.99.2",
    "::", "::1", "::2", "::127.0.0.1", "::93.184.216.34", "::ffff:127.0.0.1",
    "::ffff:93.184.216.34", "::ffff:0:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b::100.64.0.1", "64:ff9b:0:1::5db8:d822", "64:ff9b:1::1", "64:ff9b:1::5db8:d822",
    "64:ff9b:1:ffff::a9fe:a9fe", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:5db8:d822::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1",
    "2001:1ff:ffff::1", "2001:db8::1", "3fff::1", "3fff:fff:ffff::1", "2620:4f:8000::1",
    "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1", "2a00:1450::5efe:5db8:d822",
    "fe80::1", "fe80::1%eth0", "fe80::5efe:7f00:1", "fec0::1", "feff::1", "fc00::1",
    "fd00:ec2::254", "fd20:ce::254", "ff02::1", "ff0e::1", "100::1", "5f00::1", "1::1", "4000::1",
    "8000::1", "1fff:ffff::1", "fbff::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "34.120.54.55", "104.18.0.1", "168.63.129.15",
    "168.63.129.17", "192.0.1.1", "192.0.3.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::8a", "2600:1900::1", "2001:200::1",
    "2001:db7::1", "2001:db9::1", "2003::1", "2001:ffff::1", "2400:cb00::1", "3ffe::1",
    "2620:4f:7fff::1", "2620:4f:8001::1", "2606:4700::5eff:1", "2606:4700::5efd:7f00:1",
    "64:ff9b::5db8:d822", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_provably_public_is_refused(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_allowed(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", REFUSED_4)
def test_a_net_is_refused_to_its_edges_and_no_further(text):
    net = IPv4Network(text)
    first, last = int(net[0]), int(net[-1])
    assert not is_public(net[0])
    assert not is_public(net[-1])
    for neighbour in (first - 1, last + 1):
        if 0 <= neighbour < 1 << 32 and text not in ("224.0.0.0/4", "240.0.0.0/4"):
            assert is_public(IPv4Address(neighbour))


@given(st.integers(0, (1 << 32) - 1))
def test_an_ipv4_address_is_refused_by_its_row_alone_and_through_nat64_alike(number):
    address = IPv4Address(number)
    public = not any(address in IPv4Network(net) for net in REFUSED_4)
    assert is_public(address) == public
    assert is_public(IPv6Address((0x64FF9B << 96) | number)) == public
    for prefix in ("::", "::ffff:0:0", "64:ff9b:1::", "fe80::5efe:0:0"):
        assert not is_public(IPv6Address(int(IPv6Address(prefix)) | number))


@given(st.integers(0, (1 << 128) - 1))
def test_nothing_is_public_that_the_standard_library_takes_for_private(number):
    address = IPv6Address(number)
    assert not is_public(address) or address.is_global
