"""
Which addresses are public: our own table, since every library's lets some through.

Default deny: an IPv4 address is public where no registry row below claims its net, an IPv6
address where it is in the one block that is routed and no row claims it. Sources: the IANA
special-purpose registries (RFC 6890 and after), and what clouds answer on of their own.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; a cloud's metadata, too
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host
        "169.254.0.0/16",  # link-local; every cloud's metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_ROUTED_6 = IPv6Network("2000::/3")  # the rest is reserved, local, multicast or embeds IPv4
_NOT_PUBLIC_6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID …
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64 (RFC 6052): the name of an IPv4 address
_ISATAP = 0x00005EFE, 0x02005EFE  # the middle of an interface id that embeds IPv4 (RFC 5214)


def is_public(address: Address) -> bool:
    """Tell whether *address* is provably a public host's."""
    if isinstance(address, IPv4Address):
        return not any(address in net for net in _NOT_PUBLIC_4)
    if address in _TRANSLATED and not address.scope_id:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _ROUTED_6 or any(address in net for net in _NOT_PUBLIC_6):
        return False
    return int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP
