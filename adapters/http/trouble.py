"""What an exception of httpx stands for, told in words of ours: they hold no header, query or address but the host."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import httpx
import trio

from lading.domain import urls
from lading.domain.errors import LadingError, TransferError
from lading.domain.faults import HINTS, Cause

_DEEPEST = 16
_H11_SAW_THE_END = "peer closed connection"
_WANTS_A_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
_HTTPCORE_SAW_THE_END = ("Server disconnected", "<StreamReset", "<ConnectionTerminated")


class HungUp(httpx.RemoteProtocolError):
    """The server ended the connection instead of answering."""


def is_ours(error: Exception) -> bool:
    """Tell whether an error before an answer is a fault of the transport itself: another might have got one."""
    known = (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError, UnicodeError, OSError, LadingError)
    return isinstance(error, httpx.UnsupportedProtocol) or not isinstance(error, known)


def before_head(error: Exception, url: str) -> TransferError:
    """Return why there was no answer from the host of `url`."""
    match error:
        case httpx.TimeoutException() | trio.TooSlowError():
            return _told(Cause.TIMEOUT, url, "no answer in time")
        case httpx.RemoteProtocolError() if _hung_up(error):
            return _told(Cause.NETWORK, url, "the connection was closed before an answer")
        case httpx.RemoteProtocolError():
            return _told(Cause.PROTOCOL, url, "the answer is not valid HTTP, or its head is too long")
        case httpx.NetworkError():
            handshake = _handshake(error)
            if handshake is not None:
                return _told(Cause.TLS, url, handshake)
            return _told(Cause.NETWORK, url, _network(error))
        case httpx.ProxyError():
            return _told(Cause.NETWORK, url, "the proxy did not let us through")
        case httpx.LocalProtocolError() | httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            return _told(Cause.PROTOCOL, url, "the URL or a header cannot be sent over HTTP")
        case _:
            return _told(Cause.UNKNOWN, url, f"something unforeseen, a {type(error).__name__}")


def in_body(error: Exception, url: str) -> TransferError:
    """Return why the body from the host of `url` did not come to its end."""
    match error:
        case httpx.TimeoutException():
            return _told(Cause.STALLED, url, "no more of the body in time")
        case httpx.RemoteProtocolError() if not str(error).startswith((_H11_SAW_THE_END, *_HTTPCORE_SAW_THE_END)):
            return _told(Cause.PROTOCOL, url, "the body is not valid HTTP")
        case httpx.TransportError():
            return broken(url)
        case _:
            return _told(Cause.UNKNOWN, url, f"something unforeseen, a {type(error).__name__}")


def broken(url: str) -> TransferError:
    """Return that the body stopped before its end."""
    return _told(Cause.BROKEN, url, "the connection broke off in the middle of the body")


def lost_way(url: str, what: str) -> TransferError:
    """Return that the redirects of the host of `url` lead nowhere."""
    return _told(Cause.REDIRECTS, url, what)


def _told(cause: Cause, url: str, what: str) -> TransferError:
    return TransferError(f"{urls.host(url)}: {what}", cause=cause, hint=HINTS.get(cause))


def _hung_up(error: httpx.RemoteProtocolError) -> bool:
    return isinstance(error, HungUp) or str(error).startswith(_HTTPCORE_SAW_THE_END)


def _handshake(error: BaseException) -> str | None:
    """Return what TLS found fault with; None when the connection merely ended, or TLS had no part in it."""
    for each in _beneath(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate was not accepted: {each.verify_message}"
        if isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return None
        if isinstance(each, ssl.SSLError) and each.reason in _WANTS_A_CERTIFICATE:
            return "it demands a certificate of ours, which the setting client_certificate names"
        if isinstance(each, ssl.SSLError):
            return f"no TLS: {(each.reason or 'handshake failed').replace('_', ' ').lower()}"
    return None


def _network(error: BaseException) -> str:
    for each in _beneath(error):
        if isinstance(each, socket.gaierror):
            return "its address could not be found"
        if isinstance(each, OSError) and not isinstance(each, ssl.SSLError) and each.errno:
            return os.strerror(each.errno).lower()
    return "the connection failed"


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception down to what was behind it, into the first of each group."""
    each: BaseException | None = error
    for _ in range(_DEEPEST):
        if each is None:
            return
        yield each
        each = each.exceptions[0] if isinstance(each, BaseExceptionGroup) else each.__cause__ or each.__context__
