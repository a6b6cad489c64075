"""Public addresses, and those that lead into an internal network."""

import ipaddress

import pytest

from notifybot.files.public_addresses import is_public, literal


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "223.255.255.255",
     "2606:4700::1111", "2a00:1450:4001::200e", "2001:200::1", "2003::1"],
)  # fmt: skip
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
     "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
     "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
     "255.255.255.255",
     "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
     "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1",
     "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
     "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::1111%eth0"],
)  # fmt: skip
def test_a_local_or_private_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7F.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01", "0",
     "127.0.0.1.", "1.2.3.4.5", "256.0.0.1", "a.0x1", "a.1", "127.0.0.0x1", "0x", "::1::", "1%eth0", ":"],
)  # fmt: skip
def test_an_address_in_an_unusual_notation_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        literal(host)


@pytest.mark.parametrize(
    "host", ["example.org", "1.example", "0x7f.example", "x", "xn--e1afmkfd.xn--p1ai", "1a", "0x1g"]
)
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "8.8.8.8", "::1", "fe80::1%eth0"])
def test_an_address_in_its_usual_form_is_read(host: str) -> None:
    assert literal(host) == ipaddress.ip_address(host)
