"""Where the sandbox may connect to: judged by the address that is connected to, since a name can stand for any."""

import errno
import re
import socket
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

import aiohttp
from yarl import URL

from a2e_async.sandbox.wire import Refusal

Reach: TypeAlias = Literal["loopback", "any"]
_Address: TypeAlias = tuple[int, int, int, str, tuple[object, ...]]
_SPACE = re.compile(r"\s")
_NAT64 = ip_network("64:ff9b::/96")
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")))
"""Where clouds tell a machine its secrets, beside the link-local addresses that most of them use."""


def client(reach: Reach, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """Return a client without cookies that connects to no address beyond its reach."""
    connector = aiohttp.TCPConnector(socket_factory=partial(_socket, reach))
    return aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())


def barred(address: str, reach: Reach) -> str:
    """Return why an IP address is not connected to, or nothing."""
    ip = _meant(ip_address(address.partition("%")[0]))
    if ip.is_loopback:
        return ""
    if reach == "loopback":
        return f"{address} is not on this machine"
    special = ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    return f"{address} is link-local, reserved or a cloud's metadata service" if special or ip in _METADATA else ""


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parsed(text: str) -> URL:
    """Return an http(s) URL; Refusal for what is none."""
    if _SPACE.search(text):
        raise Refusal("holds a space")
    try:
        url = URL(text)
        usable = url.scheme in {"http", "https"} and url.host and url.port
    except ValueError:
        usable, url = False, URL()
    if not usable:
        raise Refusal("is not an http(s) URL")
    return url


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that stands within an IPv6 address, where there is one."""
    if isinstance(ip, IPv4Address):
        return ip
    translated = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or translated or ip


def _socket(reach: Reach, info: _Address) -> socket.socket:
    family, kind, protocol, _, address = info
    if why := barred(str(address[0]), reach):
        raise PermissionError(errno.EACCES, why)
    return socket.socket(family, kind, protocol)
