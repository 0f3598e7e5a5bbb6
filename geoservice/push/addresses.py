"""Where events may be sent: to public addresses, and to the very address that was looked at.

The name is resolved once, every address that it has must be allowed, and the connection goes to one
of these, so a name that changes its address in between gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from layers.errors import InvalidBody

MAX_URL_CHARACTERS = 2_000
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class AddressRules:
    """What an installation allows."""

    allow_private: bool = False
    allow_http: bool = False


@dataclass(frozen=True)
class Target:
    """An address that may be spoken to.

    Attributes:
        url: With the numeric address in place of the name.
        host: The name, for the certificate and the Host header; with the port where it is unusual.
    """

    url: str
    host: str
    name: str


class NotAllowed(Exception):
    """The address of a subscriber is one that events are not sent to."""


def check_url(url: str, rules: AddressRules) -> SplitResult:
    """Refuse what can be told of an address without asking anybody.

    Raises:
        InvalidBody: pointing at ``url``.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidBody("is no address", "/url") from None
    schemes = ("https", "http") if rules.allow_http else ("https",)
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable():
        raise InvalidBody("is too long, or not ASCII", "/url")
    if parts.scheme not in schemes or not parts.hostname:
        raise InvalidBody(f"needs the scheme {' or '.join(schemes)} and a host", "/url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidBody("holds no credentials and no fragment", "/url")
    if port == 0:
        raise InvalidBody("needs another port", "/url")
    try:
        literal = ip_address(parts.hostname)
    except ValueError:
        return parts
    if not is_allowed(literal, rules):
        raise InvalidBody("is an address that events are not sent to", "/url")
    return parts


def is_allowed(address: IPv4Address | IPv6Address, rules: AddressRules) -> bool:
    """Whether events may be sent to a numeric address."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_allowed(mapped, rules)
    if address.is_multicast or address.is_unspecified:
        return False
    return rules.allow_private or address.is_global


async def resolve(url: str, rules: AddressRules) -> Target:
    """Find the address to connect to.

    Raises:
        NotAllowed: the name has no address, or one that is not allowed.
    """
    try:
        parts = check_url(url, rules)
    except InvalidBody as error:
        raise NotAllowed(error.reason) from None
    name = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError:
        message = "the name has no address"
        raise NotAllowed(message) from None
    addresses = [ip_address(one[4][0]) for one in found]
    if not addresses or not all(is_allowed(address, rules) for address in addresses):
        message = "the name has an address that events are not sent to"
        raise NotAllowed(message)
    address = addresses[0]
    literal = f"[{address}]" if address.version == 6 else str(address)  # IPv6
    usual = port == _PORTS[parts.scheme]
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        url=f"{parts.scheme}://{literal}:{port}{parts.path or '/'}{query}",
        host=parts.hostname if usual and parts.hostname else f"{parts.hostname}:{port}",
        name=name,
    )
