"""Logins by HTTP Basic authentication (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Optional, Union

from .exceptions import WebSocketException
from .http import MultipleValuesError, Request, Response

if TYPE_CHECKING:
    from .connection import ServerSide

__all__ = ["BasicAuth", "basic_auth"]

Check = Callable[[str, str], Union[bool, Awaitable[bool]]]


def basic_auth(
    realm: str = "",
    credentials: Union[tuple[str, str], Iterable[tuple[str, str]], None] = None,
    check_credentials: Optional[Check] = None,
) -> Callable[[ServerSide, Request], Awaitable[Optional[Response]]]:
    """Makes a `process_request` for the asyncio face that lets in who logs in, and answers others with 401. The user's
    name is `connection.username` then.

    `credentials`: one or several pairs of user and password; or `check_credentials(user, password)`, sync or async.
    Only over TLS, or on this machine: passwords go in the clear."""
    login = BasicAuth(realm, credentials, check_credentials)

    async def process_request(connection: ServerSide, request: Request) -> Optional[Response]:
        steps = login.steps(connection, request)
        try:
            value = next(steps)
            while True:
                value = steps.send(await value if hasattr(value, "__await__") else value)
        except StopIteration as stop:
            answer: Optional[Response] = stop.value
            return answer

    return process_request


class BasicAuth:
    """Who may log in. Both faces make their `process_request` of it."""

    def __init__(
        self,
        realm: str = "",
        credentials: Union[tuple[str, str], Iterable[tuple[str, str]], None] = None,
        check_credentials: Optional[Check] = None,
    ) -> None:
        if (credentials is None) == (check_credentials is None):
            raise ValueError("give credentials or check_credentials: one of them")
        if any(character in realm for character in '"\\\r\n') or not realm.isascii():
            raise ValueError("a realm is ASCII text without quotation marks")
        self._realm = realm
        if check_credentials is None:
            pairs: Any = list(credentials or ())
            if pairs and all(isinstance(part, str) for part in pairs):
                pairs = [tuple(pairs)]
            if not pairs or not all(len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in pairs):
                raise TypeError("credentials are a pair of user and password, or several pairs")
            known = [(user.encode(), password.encode()) for user, password in pairs]

            def check_credentials(user: str, password: str) -> bool:
                # All pairs are compared, in constant time: how long it takes tells nothing of them.
                matches = [
                    hmac.compare_digest(user.encode(), name) & hmac.compare_digest(password.encode(), secret)
                    for name, secret in known
                ]
                return any(matches)

        self._check = check_credentials

    def steps(self, connection: ServerSide, request: Request) -> Generator[Any, Any, Optional[Response]]:
        """The 401, or None for who is known. It yields what `check_credentials` gave, to be awaited where it can be."""
        try:
            user, password = parse_basic(request.headers["Authorization"])
        except (LookupError, MultipleValuesError, LoginError):
            return self._ask(connection, "Log in.")
        if not (yield self._check(user, password)):
            return self._ask(connection, "User or password is wrong.")
        connection.username = user  # type: ignore[attr-defined]
        return None

    def _ask(self, connection: ServerSide, text: str) -> Response:
        response = connection.respond(401, f"{text}\n")
        response.headers["WWW-Authenticate"] = f'Basic realm="{self._realm}", charset="UTF-8"'
        return response


class LoginError(WebSocketException):
    """An Authorization field that is no Basic login."""


def parse_basic(value: str) -> tuple[str, str]:
    """User and password of an Authorization field."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        raise LoginError(f"{scheme!r} is not Basic")
    try:
        text = base64.b64decode(token.strip().encode(), validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise LoginError("the login can't be read") from error
    user, colon, password = text.partition(":")
    if not colon:
        raise LoginError("the login has no password")
    return user, password
