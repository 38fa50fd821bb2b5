"""Where a redirect leads, and what goes along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional
from urllib.parse import urljoin, urlsplit, urlunsplit

from . import _core
from .exceptions import InvalidStatus, SecurityError

__all__ = ["MAX_REDIRECTS", "Place", "redirected"]

MAX_REDIRECTS = 10

FOLLOWED = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Place:
    """A URL and what it says. Shown without its password."""

    url: str
    secure: bool
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """ValueError says what is wrong with the URL."""
        secure, host, port, target, _ = _core.parse_url(url)
        return cls(url, secure, host, port, target)

    @property
    def origin(self) -> tuple[bool, str, int]:
        """Scheme, host and port (RFC 6454 §4)."""
        return self.secure, self.host, self.port

    def admitted(self, before: Place, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those fields of a request to `before` that go along to here: to another origin only Origin and User-Agent.
        Any other may be a secret (RFC 9110 §15.4)."""
        if self.origin == before.origin:
            return fields
        return [pair for pair in fields if pair[0].lower() in ("origin", "user-agent")]

    def after(self, seen: list[Place], error: InvalidStatus) -> Place:
        """This place, where it is neither a circle nor one too many: SecurityError."""
        if any((place.origin, place.target) == (self.origin, self.target) for place in seen):
            raise SecurityError(f"the server redirects in a circle, back to {self}") from error
        if len(seen) > MAX_REDIRECTS:
            raise SecurityError(f"more than {MAX_REDIRECTS} redirects, the last to {self}") from error
        seen.append(self)
        return self

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.secure else 'ws'}://{host}:{self.port}{self.target}"


def redirected(place: Place, error: InvalidStatus, fixed: bool) -> Optional[Place]:
    """Where the answer redirects to; None where it does not. `fixed`: the caller gave the way, and it leads to no other
    origin. SecurityError: this one is not followed."""
    locations = error.response.headers.get_all("Location")
    if error.response.status_code not in FOLLOWED or len(locations) != 1 or not locations[0]:
        return None
    url = urljoin(place.url, locations[0])
    try:
        to = Place.parse(url)
    except ValueError as problem:
        raise SecurityError(f"the server's redirect can't be followed: {problem}") from error
    if place.secure and not to.secure:
        raise SecurityError("the redirect leads from wss to ws, out of TLS: it is not followed") from error
    if to.origin != place.origin:
        if fixed:
            raise SecurityError(f"the redirect leads to {to}, and sock, host or path to one place only") from error
        return to
    # The login of the origin stays valid there.
    old, new = urlsplit(place.url), urlsplit(url)
    if "@" in old.netloc and "@" not in new.netloc:
        login = old.netloc.rpartition("@")[0]
        to = Place.parse(urlunsplit(new._replace(netloc=f"{login}@{new.netloc}")))
    return to
