"""Header fields, requests and responses."""

from __future__ import annotations

import pytest

from tidewire import Headers, MultipleValuesError, Request, Response


def test_fields_are_found_in_any_case_and_keep_their_order() -> None:
    headers = Headers([("Set-Cookie", "a=1"), ("Host", "h"), ("set-cookie", "b=2")], X_Y="z")
    assert headers["HOST"] == "h"
    assert "sEt-CoOkIe" in headers
    assert "Cookie" not in headers
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert list(headers.raw_items()) == [("Set-Cookie", "a=1"), ("Host", "h"), ("set-cookie", "b=2"), ("X_Y", "z")]
    assert list(headers) == ["set-cookie", "host", "x_y"]
    assert len(headers) == 3
    with pytest.raises(MultipleValuesError, match="Set-Cookie"):
        headers["Set-Cookie"]
    with pytest.raises(KeyError):
        headers["Cookie"]
    assert headers.get("Cookie", "none") == "none"


def test_setting_adds_and_deleting_removes_all() -> None:
    headers = Headers({"A": "1"})
    headers["a"] = "2"
    assert headers.get_all("A") == ["1", "2"]
    del headers["A"]
    assert list(headers.raw_items()) == []
    with pytest.raises(KeyError):
        del headers["A"]
    headers["A"] = "3"
    copy = headers.copy()
    copy["B"] = "4"
    assert "B" not in headers
    assert headers == Headers(a="3")
    assert headers != copy
    headers.clear()
    assert headers == Headers()


def test_all_values_of_another_headers_are_taken() -> None:
    assert Headers(Headers([("A", "1"), ("A", "2")])).get_all("a") == ["1", "2"]
    with pytest.raises(TypeError):
        Headers({}, {})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b", "a\x7fb", "\x1b[0m", "€", "a\u2028b"])
def test_a_value_can_hold_no_line(value: str) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        Headers(A=value)


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "Ä", "A\0"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Headers({name: "x"})


def test_only_str_is_taken() -> None:
    with pytest.raises(TypeError):
        Headers({"A": 1})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        Headers([(b"A", b"1")])  # type: ignore[list-item]


def test_the_bytes_of_fields() -> None:
    assert Headers([("A", " ä\t "), ("B", "")]).serialize() == b"A: \xe4\r\nB: \r\n\r\n"


def test_a_response_in_bytes() -> None:
    response = Response(200, "OK", Headers({"Content-Type": "text/plain"}), b"hello")
    assert response.serialize() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    )
    assert response.serialize(body=False).endswith(b"Content-Length: 5\r\nConnection: close\r\n\r\n")
    # It can be sent again: nothing was added to it.
    assert list(response.headers) == ["content-type"]


def test_a_response_says_its_own_length() -> None:
    response = Response(200, "OK", Headers({"Content-Length": "3"}), b"hello")
    assert b"Content-Length: 5\r\n" in response.serialize()
    assert b"Content-Length: 3\r\n" not in response.serialize()


def test_some_responses_have_no_body() -> None:
    assert Response(204, "No Content", Headers(), b"x").serialize() == (
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(("status", "phrase"), [(200, "O\r\nK"), (200, "€"), (20, "OK"), (1000, "OK"), (-1, "OK")])
def test_a_response_that_cannot_be_sent(status: int, phrase: str) -> None:
    with pytest.raises(ValueError, match="."):
        Response(status, phrase, Headers()).serialize()


def test_a_request_is_what_websockets_has() -> None:
    request = Request("/chat", Headers(Host="h"))
    assert (request.path, request.headers["host"], request.method) == ("/chat", "h", "GET")
