"""What exceptions say."""

from __future__ import annotations

import pytest

from tidewire import (
    Close,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidProxy,
    PayloadTooBig,
    ProtocolError,
)
from tidewire.exceptions import connection_closed


@pytest.mark.parametrize(
    ("frames", "kind", "code", "text"),
    [
        (
            ((1000, "bye"), (1000, "bye"), True, None),
            ConnectionClosedOK,
            1000,
            "received 1000 (normal closure) bye; then",
        ),
        (
            ((1001, ""), (1000, ""), False, None),
            ConnectionClosedOK,
            1001,
            "sent 1000 (normal closure); then received 1001",
        ),
        (((1005, ""), (1005, ""), True, None), ConnectionClosedOK, 1005, "received 1005"),
        (((1011, "oh"), (1011, ""), True, None), ConnectionClosedError, 1011, "1011 (internal error) oh"),
        (((4000, ""), (4000, ""), True, None), ConnectionClosedError, 4000, "4000 (private use)"),
        (((3000, ""), (3000, ""), True, None), ConnectionClosedError, 3000, "3000 (registered)"),
        ((None, None, None, None), ConnectionClosedError, 1006, "no close frame received or sent"),
        ((None, (1000, ""), None, None), ConnectionClosedError, 1006, "no close frame received; sent 1000"),
        ((None, None, None, "reset"), ConnectionClosedError, 1006, "no close frame received or sent: reset"),
        (((1000, ""), (1000, ""), True, "late"), ConnectionClosedError, 1000, ": late"),
    ],
)
def test_what_is_told_of_an_end(frames: tuple, kind: type[ConnectionClosed], code: int, text: str) -> None:
    error = connection_closed(frames)
    assert type(error) is kind
    assert error.code == code
    assert text in str(error)
    assert error.rcvd == (None if frames[0] is None else Close(*frames[0]))
    assert error.sent == (None if frames[1] is None else Close(*frames[1]))
    assert error.rcvd_then_sent is frames[2]
    assert error.reason == ("" if frames[0] is None else frames[0][1])


def test_the_cause_is_what_the_peer_did() -> None:
    assert type(connection_closed((None, (1009, ""), None, "too much")).__cause__) is PayloadTooBig
    assert type(connection_closed((None, (1002, ""), None, "RSV1")).__cause__) is ProtocolError
    assert type(connection_closed((None, (1007, ""), None, "UTF-8")).__cause__) is ProtocolError
    assert str(connection_closed((None, (1002, "RSV1"), None, None)).__cause__) == "RSV1"
    assert connection_closed((None, (1011, ""), None, "no pong")).__cause__ is None
    assert connection_closed(((1002, ""), (1002, ""), True, None)).__cause__ is None


def test_families() -> None:
    assert issubclass(ConcurrencyError, RuntimeError)
    assert issubclass(ConnectionClosedOK, ConnectionClosed)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in str(InvalidProxy("http://me:secret@h:1", "no"))
