"""Addresses to listen at, and tokens: who may connect."""

import hmac
import ipaddress

from files.errors import ParameterError

LEAST_TOKEN = 16  # characters


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a text is, in brackets or not; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host: localhost, 127.x.x.x, ::1."""
    address = ip_address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def check_access(host: str, token: str | None) -> None:
    """Raise a ParameterError if others can connect without a token, or it is too short."""
    if token is None and not is_loopback(host):
        raise ParameterError(f"host={host} can be reached by other machines; give a token")
    if token is not None and len(token) < LEAST_TOKEN:
        raise ParameterError(
            f"the token has {len(token)} characters; give one of {LEAST_TOKEN} or more"
        )


def is_same(given: str, token: str) -> bool:
    """Compare texts in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode(errors="replace"))
