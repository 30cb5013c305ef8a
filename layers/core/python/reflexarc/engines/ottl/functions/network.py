"""Converters of addresses: IsInCIDR, CommunityID, URL. Pure."""

import base64
import hashlib
import ipaddress
import re
import struct
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, quote, unquote, urlsplit

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "RSVP": 46, "ICMP6": 58, "SCTP": 132}
_LARGEST = 65_535
_CIDR = re.compile(r"[^/]+/[0-9]{1,3}\Z")
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")


def _address(text: str) -> Address | None:
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _network(text: str) -> Network:
    if not _CIDR.match(text):
        raise EvaluationError(f"{text[:80]!r} is no CIDR")
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise EvaluationError(f"{text[:80]!r} is no CIDR") from None


def is_in_cidr(target: str, networks: list[str]) -> bool:
    """Tell whether an address lies in one of the networks."""
    address = _address(target)
    return address is not None and any(address in _network(text) for text in networks)


def _is_in_cidr(given: Mapping[str, object]) -> Callable[..., object]:
    if "networks" not in given:
        return is_in_cidr
    listed = given["networks"]
    try:
        networks = [_network(str(text)) for text in (listed if isinstance(listed, list) else ())]
    except EvaluationError as error:
        raise ValueError(str(error)) from None

    def judge(target: str) -> bool:
        address = _address(target)
        return address is not None and any(address in network for network in networks)

    return judge


def community_id(  # noqa: PLR0917 - the converter's own parameters
    source_ip: str,
    source_port: int,
    destination_ip: str,
    destination_port: int,
    protocol: str = "TCP",
    seed: int = 0,
) -> str:
    """Return the hash of a flow, the same for both directions.

    https://github.com/corelight/community-id-spec
    """
    ends = [_end(source_ip, source_port), _end(destination_ip, destination_port)]
    if protocol not in _PROTOCOLS:
        raise EvaluationError(f"{protocol[:80]!r} is no protocol")
    first, second = sorted(ends, key=lambda end: (len(end[0]), *end))
    data = struct.pack(">H", _sixteen_bits(seed))
    data += first[0] + second[0] + bytes([_PROTOCOLS[protocol], 0])
    data += struct.pack(">HH", first[1], second[1])
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode()


def _end(ip: str, port: int) -> tuple[bytes, int]:
    address = _address(ip)
    if address is None:
        raise EvaluationError(f"{ip[:80]!r} is no address")
    return address.packed, _sixteen_bits(port)


def _sixteen_bits(number: int) -> int:
    if not 0 <= number <= _LARGEST:
        raise EvaluationError(f"{number} is not within 0 and {_LARGEST}")
    return number


def url(text: str) -> dict[str, object]:
    """Return the parts of a URL by their names in the semantic conventions."""
    if not text:
        raise EvaluationError("a URL cannot be empty")
    if text.startswith("?"):
        found = parse_qs(text[1:], keep_blank_values=True, strict_parsing=False)
        return {"query": found} if found else {}
    try:
        return _url(text)
    except ValueError as error:
        raise EvaluationError(f"{text[:80]!r} is no URL: {error}") from None


def _url(text: str) -> dict[str, object]:
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("it has a control character")
    scheme, colon, _ = text.partition(":")
    if colon and "/" not in scheme and not _SCHEME.match(scheme):
        raise ValueError("it begins with no scheme")
    parts = urlsplit(text)
    if _ESCAPES.search(parts.path + parts.fragment + parts.netloc):
        raise ValueError("it has a bad escape")
    path = unquote(parts.path)
    result: dict[str, object] = {
        "url.original": text,
        "url.domain": parts.hostname or "",
        "url.scheme": parts.scheme,
        "url.path": path,
    }
    if parts.port is not None:
        result["url.port"] = parts.port
    result |= _optional(
        {
            "url.fragment": unquote(parts.fragment),
            "url.query": parts.query,
            "url.extension": path.rpartition(".")[2] if "." in path else "",
        }
    )
    return result | _user(parts.netloc)


def _user(netloc: str) -> dict[str, object]:
    user, at, _ = netloc.rpartition("@")
    if not at:
        return {}
    name, colon, password = user.partition(":")
    found = {"url.user_info": quote(unquote(user), safe=":$&+,;=-_.~!*'()")}
    result = found | _optional({"url.username": unquote(name)})
    return result | ({"url.password": unquote(password)} if colon else {})


def _optional(parts: Mapping[str, str]) -> dict[str, object]:
    return {name: part for name, part in parts.items() if part}


CONVERTERS = table(
    Converter(
        "IsInCIDR",
        parameters("target: string, networks: string[]"),
        _is_in_cidr,
        "bool",
        static=("networks",),
    ),
    Converter(
        "CommunityID",
        parameters(
            "source_ip: string, source_port: int, destination_ip: string, destination_port: int, "
            "protocol: string?, seed: int?"
        ),
        community_id,
        "string",
    ),
    Converter("URL", parameters("uri: string"), url, "map"),
)
