"""What both clients decide by: proxies, redirects, further attempts."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import itertools
from typing import Any

import pytest

from tidewire import (
    Headers,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    ProxyError,
    Response,
    SecurityError,
)
from tidewire.proxies import Proxy, proxy_from_environment
from tidewire.redirect import MAX_REDIRECTS, Place, redirected
from tidewire.retry import backoff, process_exception, retry_after

ALL = {
    "ws_proxy": "a",
    "WS_PROXY": "b",
    "http_proxy": "c",
    "HTTP_PROXY": "never",
    "wss_proxy": "d",
    "WSS_PROXY": "e",
    "https_proxy": "f",
    "HTTPS_PROXY": "g",
    "all_proxy": "h",
    "ALL_PROXY": "i",
}


@pytest.mark.parametrize(("secure", "order"), [(False, "abchi"), (True, "defghi")])
def test_the_variables_in_their_order(secure: bool, order: str) -> None:
    left = dict(ALL)
    for expected in order:
        assert proxy_from_environment(secure, "x.test", 1, left) == expected
        left = {name: value for name, value in left.items() if value != expected}
    assert proxy_from_environment(secure, "x.test", 1, left) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"])
def test_loopback_is_direct(host: str) -> None:
    assert proxy_from_environment(True, host, 1, ALL) is None


@pytest.mark.parametrize(
    ("direct", "host", "port", "taken"),
    [
        ("*", "a", 1, False),
        ("*:80", "a", 80, False),
        ("*:80", "a", 81, True),
        ("Example.com", "a.b.example.COM.", 1, False),
        ("example.com", "nonexample.com", 1, True),
        (".b.test", "b.test", 1, False),
        ("*.c.test", "x.c.test", 1, False),
        ("d.test:8080", "d.test", 80, True),
        ("d.test:8080", "a.d.test", 8080, False),
        ("10.0.0.0/8", "10.255.0.1", 1, False),
        ("10.0.0.0/8", "11.0.0.1", 1, True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 1, False),
        ("192.0.2.1:81", "192.0.2.1", 81, False),
        ("192.0.2.1:81", "192.0.2.1", 80, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, False),
        ("fd00::/8", "fd12::1", 1, False),
        ("3.4", "1.2.3.4", 1, True),
        (", ,", "a", 1, True),
    ],
)
def test_no_proxy(direct: str, host: str, port: int, taken: bool) -> None:
    found = proxy_from_environment(True, host, port, {"all_proxy": "p", "no_proxy": direct})
    assert found == ("p" if taken else None)


def test_the_url_of_a_proxy() -> None:
    assert Proxy.parse("proxy.test") == Proxy("http", "proxy.test", 80, None)
    assert Proxy.parse("https://u%40:p%3A@h:1/") == Proxy("https", "h", 1, ("u@", "p:"))
    assert Proxy.parse("socks5h://[::1]") == Proxy("socks5h", "::1", 1080, None)
    for url in ("gopher://u:secret@h", "http://", "http://h/path", "http://h:99999", "http://a%3Ab:c@h"):
        with pytest.raises(InvalidProxy) as caught:
            Proxy.parse(url)
        assert "secret" not in str(caught.value)


def talk(proxy: str, answers: list[bytes], host: str = "h.test", port: int = 443) -> bytes:
    """What is sent to a proxy that answers so."""
    steps = Proxy.parse(proxy).tunnel(host, port)
    sent, wanted = next(steps)
    for answer in answers:
        if isinstance(wanted, int):
            assert len(answer) == wanted
        try:
            data, wanted = steps.send(answer)
        except StopIteration:
            return sent
        sent += data
    raise AssertionError("it wants to hear more")


def test_connect() -> None:
    head = b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n"
    assert talk("http://p", [b"HTTP/1.1 200 OK\r\n\r\n"]) == head + b"\r\n"
    login = b"Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    answers = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 204\r\nA: b\r\n\r\n"]
    assert talk("http://Aladdin:open%20sesame@p", answers) == head + login
    assert talk("http://p", [b"HTTP/1.1 200 OK\r\n\r\n"], "::1", 80).startswith(b"CONNECT [::1]:80 ")
    with pytest.raises(InvalidProxyStatus, match="407.*user and password"):
        talk("http://p", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"])
    with pytest.raises(InvalidProxyMessage):
        talk("http://p", [b"SSH-2.0-x\r\n\r\n"])


def test_socks() -> None:
    done = [b"\x05\x00\x00\x01", bytes(6)]
    assert talk("socks5h://p", [b"\x05\x00", *done]) == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x06h.test\x01\xbb"
    by_address = talk("socks5h://p", [b"\x05\x00", b"\x05\x00\x00\x04", bytes(18)], "192.0.2.1", 80)
    assert by_address.endswith(b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00P")
    by_name = [b"\x05\x00", b"\x05\x00\x00\x03", b"\x02", b"ab\x00\x01"]
    assert talk("socks5h://p", by_name, "2001:db8::1").endswith(b"\x01\xbb")
    login = talk("socks5h://me:pw@p", [b"\x05\x02", b"\x01\x00", *done])
    assert login.startswith(b"\x05\x02\x00\x02" + b"\x01\x02me\x02pw")
    for answers, text in [
        ([b"\x05\xff"], "another login"),
        ([b"\x05\x02"], "not offered"),
        ([b"HT"], "SOCKS version 5"),
        ([b"\x05\x00", b"\x05\x05\x00\x01"], "refused"),
        ([b"\x05\x00", b"\x05\x63\x00\x01"], "reply 99"),
    ]:
        with pytest.raises(ProxyError, match=text):
            talk("socks5h://p", answers)
    with pytest.raises(ProxyError, match="right"):
        talk("socks5h://me:pw@p", [b"\x05\x02", b"\x01\x01"])


def answer(status: int, **fields: str) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers({name.replace("_", "-"): fields[name] for name in fields})))


@pytest.mark.parametrize(
    ("url", "location", "to"),
    [
        ("ws://h/a/b?c", "d", "ws://h:80/a/d"),
        ("ws://h/a/b", "/x?y", "ws://h:80/x?y"),
        ("ws://h/a", "//g:81/", "ws://g:81/"),
        ("ws://h/a", "https://g/", "wss://g:443/"),
        ("ws://h/a", "http://h:81/b", "ws://h:81/b"),
    ],
)
def test_where_a_redirect_leads(url: str, location: str, to: str) -> None:
    assert str(redirected(Place.parse(url), answer(302, Location=location), False)) == to


def test_redirects_that_are_not_followed() -> None:
    secure, plain = Place.parse("wss://h/"), Place.parse("ws://h/")
    assert redirected(plain, answer(304, Location="/x"), False) is None
    assert redirected(plain, answer(302), False) is None
    for place, location, fixed in [
        (secure, "ws://h/", False),
        (secure, "http://h/", False),
        (plain, "ftp://h/", False),
        (plain, "ws://g/", True),
        (plain, "ws://h:81/", True),
    ]:
        with pytest.raises(SecurityError):
            redirected(place, answer(301, Location=location), fixed)


def test_a_circle_and_one_too_many() -> None:
    places = [Place.parse(f"ws://h/{number}") for number in range(MAX_REDIRECTS + 2)]
    seen = places[:1]
    for place in places[1 : MAX_REDIRECTS + 1]:
        place.after(seen, answer(302))
    with pytest.raises(SecurityError, match="more than 10"):
        places[-1].after(seen, answer(302))
    with pytest.raises(SecurityError, match="circle"):
        Place.parse("ws://H:80/0").after(places[:1], answer(302))


def test_secrets_stay_with_their_origin() -> None:
    fields = [("Cookie", "x"), ("Authorization", "y"), ("origin", "https://z"), ("User-Agent", "u")]
    here = Place.parse("ws://me:secret@h/")
    same = redirected(here, answer(302, Location="ws://h/b"), False)
    assert same is not None
    assert same.admitted(here, fields) == fields
    assert "me:secret@" in same.url
    for location in ("ws://g/", "ws://h:81/", "wss://h/"):
        other = redirected(here, answer(302, Location=location), False)
        assert other is not None
        assert other.admitted(here, fields) == fields[2:]
        assert "secret" not in other.url
    assert "secret" not in str(same)


def ended() -> InvalidMessage:
    error = InvalidMessage("it ended")
    error.__cause__ = EOFError()
    return error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError(), True),
        (asyncio.TimeoutError(), True),
        (TimeoutError(), True),
        (ended(), True),
        (InvalidMessage("no HTTP"), False),
        (InvalidUpgrade("no Upgrade"), False),
        (ValueError(), False),
        (ProxyError(), True),
        (InvalidProxyStatus(Response(502, "", Headers())), True),
        (InvalidProxyStatus(Response(407, "", Headers())), False),
        *((answer(status), status in (408, 425, 429, 500, 503, 599)) for status in (400, 403, 404, 408, 425, 429)),
        *((answer(status), True) for status in (500, 503, 599)),
    ],
)
def test_which_errors_may_pass(error: Any, again: bool) -> None:
    assert process_exception(error) is (None if again else error)


def test_waits_grow_to_a_ceiling() -> None:
    highest = [max(waits) for waits in zip(*(itertools.islice(backoff(), 10) for _ in range(400)))]
    for wait, ceiling in zip(highest, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]):
        assert ceiling * 0.9 < wait <= ceiling


def test_retry_after() -> None:
    assert retry_after(Response(503, "", Headers())) == 0
    assert retry_after(Response(503, "", Headers({"Retry-After": "7"}))) == 7
    assert retry_after(Response(503, "", Headers({"Retry-After": "99999999999999"}))) == 3600
    assert retry_after(Response(503, "", Headers({"Retry-After": "soon"}))) == 0
    date = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)
    assert 25 < retry_after(Response(503, "", Headers({"Retry-After": email.utils.format_datetime(date)}))) <= 30
