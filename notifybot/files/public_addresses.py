"""Which addresses are public: reachable by anybody on the internet, and nobody's own network or machine."""

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_V4 = (
    "0.0.0.0/8",  # this host
    "10.0.0.0/8",
    "100.64.0.0/10",  # between a provider and its customers; metadata of some clouds
    "127.0.0.0/8",
    "168.63.129.16/32",  # Azure's own services, seen from inside
    "169.254.0.0/16",  # link-local; metadata of most clouds
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # to many at once
    "240.0.0.0/4",
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out. Outside of it lie loopback, link-local, private, IPv4 in IPv6 and NAT64 (64:ff9b::/96)."""
_NOT_PUBLIC_V6 = (
    "2001::/23",  # Teredo, which holds an IPv4 address, and other protocols
    "2001:db8::/32",
    "2002::/16",  # 6to4, which holds an IPv4 address
    "3fff::/20",
)
_REFUSED_V4 = tuple(map(ipaddress.IPv4Network, _NOT_PUBLIC_V4))
_REFUSED_V6 = tuple(map(ipaddress.IPv6Network, _NOT_PUBLIC_V6))
# As browsers read it: a host whose last part is a number is an IPv4 address, in whatever way it is written.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


def literal(host: str) -> Address | None:
    """Return the address that a URL's host is (IPv6 without brackets), or None for a name.

    Raises ValueError for addresses in other forms, like 2130706433, 0x7f.1 and 127.1, which programs read differently.
    """
    if ":" in host or "%" in host:
        return ipaddress.IPv6Address(host)
    return ipaddress.IPv4Address(host) if _NUMERIC.fullmatch(host) else None
