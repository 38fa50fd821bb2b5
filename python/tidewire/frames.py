"""The few words of RFC 6455 that an application meets: close codes, close frames, states."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["Close", "CloseCode", "State"]


class State(enum.IntEnum):
    """Where a connection stands (RFC 6455 §4, §7)."""

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class CloseCode(enum.IntEnum):
    """The registered close codes (RFC 6455 §7.4.1 and IANA's registry)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


NORMAL = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
"""The codes of a normal end."""


class Close(NamedTuple):
    """What a close frame says. An empty one counts as 1005."""

    code: int
    reason: str = ""

    def __str__(self) -> str:
        if 3000 <= self.code < 4000:
            words = "registered"
        elif 4000 <= self.code < 5000:
            words = "private use"
        else:
            try:
                words = CloseCode(self.code).name.lower().replace("_", " ")
            except ValueError:
                words = "unknown"
        return f"{int(self.code)} ({words})" + (f" {self.reason}" if self.reason else "")
