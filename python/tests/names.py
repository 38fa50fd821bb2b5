"""Every public name of python-websockets, and ours beside it: writes docs/python/names.md.

python python/tests/names.py > docs/python/names.md
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import websockets

import tidewire
import tidewire.sync

MODULES = [f"{face}.{part}" for face in ("asyncio", "sync") for part in ("server", "client", "connection", "router")]

CORE = "the core does this: RFC 6455 and RFC 7692 are not written in Python here"
INNER = "an inner part of its implementation"
HEADERS = "`InvalidHeader`, whose message says what is wrong"
PLAIN = "a plain `str`"
HEAD = "`InvalidMessage`, whose message says what went past its limit"
WITHOUT_IO = "without I/O: the Rust crate `tidewire-proto`"
ROUTER = "not here: `connection.request.path` in the handler, or `process_request`; no dependency on werkzeug"
TRANSPORT = "the core reads the socket; `connection.transport` where asyncio does (TLS, clients)"
EXTENSIONS = "not here: permessage-deflate is the core's, by `compression`"

REMARKS = {
    # Top level.
    **dict.fromkeys(("ClientProtocol", "ServerProtocol", "Protocol", "Side"), WITHOUT_IO),
    **dict.fromkeys(("Frame", "Opcode"), "frames are not shown to the application"),
    **dict.fromkeys(("ExtensionName", "ExtensionParameter"), EXTENSIONS),
    **dict.fromkeys(("Origin", "Subprotocol"), PLAIN),
    "StatusLike": "`int`, or `http.HTTPStatus`",
    **dict.fromkeys(("HeaderLineTooLong", "RequestLineTooLong", "StatusLineTooLong", "TooManyHeaders"), HEAD),
    **dict.fromkeys(("InvalidHeaderFormat", "InvalidHeaderValue"), HEADERS),
    **dict.fromkeys(("DuplicateParameter", "InvalidParameterName", "InvalidParameterValue"), HEADERS),
    "InvalidMethod": "answered with 405 by the core, and logged",
    "InvalidProtocol": "answered with 400 or 505 by the core, and logged; a client raises `InvalidMessage`",
    "TooManyFragments": "there is no limit on fragments, only on a message: fragments are not kept as such",
    **dict.fromkeys(("Router", "route", "unix_route"), ROUTER),
    # Arguments.
    "(extensions)": EXTENSIONS,
    "(uri)": "named `url` here",
    "(legacy)": "not here",
    # Members.
    **dict.fromkeys(("acknowledge_pings", "keepalive", "start_keepalive", "terminate_pending_pings"), CORE),
    **dict.fromkeys(("process_event", "handshake", "recv_events", "send_context", "send_data"), CORE),
    **dict.fromkeys(("set_connection_exc", "recv_bufsize", "close_socket", "SHUTDOWN_POLLING_INTERVAL"), INNER),
    **dict.fromkeys(("maybe_raise_legacy_warning", "connect", "open_tcp_connection", "process_redirect"), INNER),
    **dict.fromkeys(("enable_tls", "open_connection", "open_socket"), INNER),
    **dict.fromkeys(("connection_made", "connection_lost", "data_received", "eof_received"), TRANSPORT),
    **dict.fromkeys(("pause_writing", "resume_writing"), TRANSPORT),
    "drain": "`drained()`",
    "close_exc": "what `recv` and `send` raise; `close_code`, `close_reason`",
}  # fmt: skip
"""What stands beside a name that is not here."""


def words(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def members(cls: type) -> list[str]:
    return sorted(name for name in dir(cls) if not name.startswith("_"))


def arguments(call: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(call.__init__ if inspect.isclass(call) else call).parameters
    return {name: given for name, given in parameters.items() if given.kind != given.VAR_KEYWORD and name != "self"}


PASSED_ON = {
    *(
        "sock",
        "host",
        "port",
        "family",
        "flags",
        "local_addr",
        "proto",
        "ssl_handshake_timeout",
        "ssl_shutdown_timeout",
    ),
    *("all_errors", "happy_eyeballs_delay", "interleave", "proxy_ssl", "proxy_server_hostname"),
}
"""What `tidewire.connect` hands to `loop.create_connection`, and `proxy_…` for TLS to the proxy."""


def accepted(module: str, argument: str) -> bool:
    """Whether ours takes the argument among its **options."""
    if "client" not in module:
        return False
    return argument in PASSED_ON or argument in arguments(tidewire.connect)


def remark(key: str, where: str) -> str:
    if key not in REMARKS:
        raise KeyError(f"{where}: {key} is public in websockets {websockets.__version__}; say in REMARKS what is ours")
    return REMARKS[key]


def of_a_call(module: str, name: str, theirs: Any, ours: Any) -> str:
    known = arguments(ours)
    takes_more = any(p.kind == p.VAR_KEYWORD for p in inspect.signature(ours).parameters.values())
    lost = [
        argument
        for argument in arguments(theirs)
        if argument not in known and not (takes_more and accepted(module, argument))
    ]
    more = [argument for argument in known if argument not in arguments(theirs)]
    ends = [f"`{argument}`: {remark(f'({argument})', f'{module}.{name}')}" for argument in lost]
    # Those that asyncio's own functions take are spelled out here and passed on there.
    own = [name for name in more if name in ("static", "console", "threads", "write_limit")]
    if own:
        ends.append(f"and {words(own)}")
    return "; ".join(ends) or "the same"


def rows(module: str) -> Iterator[tuple[str, str, str]]:
    theirs = importlib.import_module(f"websockets.{module}")
    for name in theirs.__all__:
        their = getattr(theirs, name)
        try:
            our = getattr(importlib.import_module(f"tidewire.{module}"), name)
        except (ImportError, AttributeError):
            yield f"`{name}`", "–", remark(name, module)
            continue
        place = f"`tidewire.{module.partition('.')[0]}.{name}`"
        if not inspect.isclass(their) or name in ("serve", "connect", "reconnect", "unix_serve"):
            yield f"`{name}`", place, of_a_call(module, name, their, our)
        else:
            same = [member for member in members(their) if hasattr(our, member)]
            yield f"`{name}`", place, f"the same: {words(same)}"
        if inspect.isclass(their):
            lost: dict[str, list[str]] = {}
            for member in members(their):
                if not hasattr(our, member):
                    lost.setdefault(remark(member, f"{module}.{name}"), []).append(f"{name}.{member}")
            for why, names in lost.items():
                yield words(names), "–", why


def page() -> str:
    lines = [
        "# Every public name of `websockets`",
        "",
        f"Of websockets {websockets.__version__}, with what is Tidewire's beside it. Where the same name does something",
        "else, [migrating](migrating.md#from-websockets) tells.",
        "`python/tests/names.py` writes this page, and a test compares it.",
        "",
        "## `websockets`",
        "",
        "| `websockets` | Tidewire | |",
        "|---|---|---|",
    ]
    for name in sorted(websockets.__all__):
        if hasattr(tidewire, name):
            lines.append(f"| `{name}` | `tidewire.{name}` | |")
        else:
            lines.append(f"| `{name}` | – | {remark(name, 'websockets')} |")
    for module in MODULES:
        lines += ["", f"## `websockets.{module}`", "", f"| `websockets.{module}` | Tidewire | |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows(module)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
