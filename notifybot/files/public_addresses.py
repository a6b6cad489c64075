"""Tell public IP addresses from private, local and reserved ones."""

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_V4 = (
    "0.0.0.0/8",  # this host
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT; metadata of some clouds
    "127.0.0.0/8",
    "168.63.129.16/32",  # Azure's platform services
    "169.254.0.0/16",  # link-local; metadata of most clouds
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""Global unicast. Loopback, link-local, private, IPv4-mapped and NAT64 (64:ff9b::/96) addresses lie outside."""
_NOT_PUBLIC_V6 = (
    "2001::/23",  # Teredo, which embeds an IPv4 address, and other protocols
    "2001:db8::/32",
    "2002::/16",  # 6to4, which embeds an IPv4 address
    "3fff::/20",
)
_REFUSED_V4 = tuple(map(ipaddress.IPv4Network, _NOT_PUBLIC_V4))
_REFUSED_V6 = tuple(map(ipaddress.IPv6Network, _NOT_PUBLIC_V6))
# Browsers treat any host that ends in a number as an IPv4 address, in any notation.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


def literal(host: str) -> Address | None:
    """Return the host as an address (IPv6 without brackets), or None if it is a name.

    Raises ValueError for notations that programs read differently, like 2130706433, 0x7f.1 and 127.1.
    """
    if ":" in host or "%" in host:
        return ipaddress.IPv6Address(host)
    return ipaddress.IPv4Address(host) if _NUMERIC.fullmatch(host) else None
