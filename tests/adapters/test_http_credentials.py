"""What the user's files know of a host goes to that host: logins of a netrc, cookies of a cookies.txt, certificates."""

from __future__ import annotations

import logging
import os
import ssl
import time
import traceback
from pathlib import Path

import httpx
import pytest
import trio
import trustme
from cryptography.hazmat.primitives import serialization

from lading.adapters.http import HTTPXTransport
from lading.adapters.http.cookies import Cookies
from lading.adapters.http.credentials import Logins
from lading.domain.errors import InvalidSetting, TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Origin, Page, Redirect, Resource

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(7)]

FILE = Resource("file.bin", 3000)
CANARY = "hush-canary"
MINE = "Basic bWU6aHVzaC1jYW5hcnk="
"""me:hush-canary"""
JAR = "# Netscape HTTP Cookie File\n"
LATER = int(time.time()) + 1000


@pytest.fixture
def origin():
    with Origin([FILE, Page("old", b"")]) as one:
        yield one


@pytest.fixture
def other():
    with Origin([FILE, Page("old", b"")]) as one:
        yield one


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    """No proxy, and a home folder in which there is nothing yet."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def netrc(text: str, mode: int = 0o600) -> Path:
    """Put a netrc file into the home folder."""
    path = Path.home() / ".netrc"
    path.write_text(text)
    path.chmod(mode)
    return path


def jar(*lines: str, head: str = JAR) -> str:
    """Write a file of cookies, one a line, its fields parted by spaces here."""
    path = Path.home() / "cookies.txt"
    path.write_text(head + "".join(line.replace(" ", "\t") + "\n" for line in lines))
    return str(path)


async def ask(transport: HTTPXTransport, *urls: str, **headers: str) -> None:
    """Ask for each, and for no more."""
    try:
        for url in urls:
            async with transport.exchange(Call(url=url, headers=headers)):
                pass
    finally:
        await transport.aclose()


def believing(**more) -> HTTPXTransport:
    return HTTPXTransport(trust_env=True, netrc=True, connect_timeout_s=5.0, read_timeout_s=5.0, **more)


def localhost(url: str) -> str:
    """The same server, by another name."""
    return url.replace("127.0.0.1", "localhost")


# -- netrc -----------------------------------------------------------------------------------------------------------


async def test_host_that_the_netrc_names_gets_its_login_and_no_other_host_does(origin):
    """By the name of the host, in any case; the entry for all hosts is left alone."""
    netrc(f"machine LocalHost login me password {CANARY}\ndefault login anybody password x\n")
    await ask(believing(), localhost(origin.url("file.bin")), origin.url("file.bin"))
    named, nameless = origin.requests
    assert named.headers["authorization"] == MINE
    assert "authorization" not in nameless.headers


async def test_file_that_netrc_names_is_read_instead(origin, monkeypatch, tmp_path):
    """Whoever may read it."""
    netrc("machine 127.0.0.1 login wrong password wrong\n")
    (tmp_path / "elsewhere").write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "elsewhere"))
    await ask(believing(), origin.url("file.bin"))
    assert origin.requests[0].headers["authorization"] == MINE


@pytest.mark.parametrize(("trust_env", "wanted"), [(False, True), (True, False)])
async def test_netrc_is_not_even_read_unless_it_is_wanted_and_the_environment_is_believed(origin, trust_env, wanted):
    """One that cannot be understood is no trouble then."""
    netrc("nonsense")
    await ask(HTTPXTransport(trust_env=trust_env, netrc=wanted), origin.url("file.bin"))
    assert "authorization" not in origin.requests[0].headers


async def test_what_the_caller_gave_comes_before_the_netrc(origin):
    """Userinfo and an Authorization header do."""
    netrc("machine 127.0.0.1 login wrong password wrong\n")
    await ask(believing(), origin.url("file.bin").replace("//", f"//me:{CANARY}@"))
    await ask(believing(), origin.url("file.bin"), Authorization="Bearer x")
    assert [request.headers["authorization"] for request in origin.requests] == [MINE, "Bearer x"]


async def test_redirect_gets_what_the_netrc_says_of_its_own_host(origin, other):
    """Whatever the caller gave for the first host, and the netrc says of it, stays there."""
    netrc(f"machine localhost login me password {CANARY}\n")
    origin.set("old", Behaviour(redirect=Redirect(localhost(other.url("old")))))
    other.set("old", Behaviour(redirect=Redirect(other.url("file.bin"))))
    await ask(believing(), origin.url("old"), Authorization="Bearer x")
    sent = [request.headers.get("authorization") for request in (*origin.requests, *other.requests)]
    assert sent == ["Bearer x", MINE, None]


async def test_login_is_not_told_in_the_clear_once_there_was_tls(origin):
    """A redirect from https to http could be meant to have it told."""
    netrc(f"machine 127.0.0.1 login me password {CANARY}\nmachine localhost login me password {CANARY}\n")
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusting)
    with Origin([Page("old", b"")], tls=served) as secure:
        secure.set("old", Behaviour(redirect=Redirect(origin.url("old"))))
        origin.set("old", Behaviour(redirect=Redirect(localhost(origin.url("old")) + "?again")))
        transport = believing(ssl_context=trusting, redirects_max=2)
        with pytest.raises(TransferError):
            await ask(transport, secure.url("old"))
        assert secure.requests[0].headers["authorization"] == MINE
    assert len(origin.requests) == 2
    assert CANARY not in str([request.headers for request in origin.requests])
    assert all("authorization" not in request.headers for request in origin.requests)


BAD_NETRC = {
    "a word that is none": (f"machine a login b password c\n{CANARY}\n", 0o600),
    "a word that is none, in an entry": (f"machine a login b {CANARY} c\n", 0o600),
    "others may read it": (f"machine a login b password {CANARY}\n", 0o644),
    "no text": (None, 0o600),
    "a folder": ("", None),
}


@pytest.mark.parametrize("name", BAD_NETRC)
def test_netrc_that_cannot_be_used_is_named_and_not_quoted(name):
    """With what is to be done about it."""
    text, mode = BAD_NETRC[name]
    path = Path.home() / ".netrc"
    if mode is None:
        path.mkdir()
    elif text is None:
        path.write_bytes(b"machine \xff\xfe\x00\xd8 password " + CANARY.encode())
        path.chmod(mode)
    else:
        netrc(text, mode)
    with pytest.raises(InvalidSetting) as caught:
        believing()
    told = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "~/.netrc" in caught.value.message
    assert "lading config set netrc off" in caught.value.hint
    assert CANARY not in told


def test_netrc_that_is_not_there_says_nothing():
    """Most people have none."""
    assert not Logins()
    assert not Logins(str(Path.home() / "nothing"))


# -- cookies ---------------------------------------------------------------------------------------------------------


async def test_cookies_of_the_file_go_where_they_are_meant_to_go(origin):
    """By host, path, `secure` and expiry; an expiry of 0, as every program writes it, is the session's."""
    cookies = jar(
        f"127.0.0.1 FALSE / FALSE {LATER} own yes",
        "127.0.0.1 FALSE / FALSE 0 session yes",
        f"#HttpOnly_127.0.0.1 FALSE /file.bin FALSE {LATER} deep yes",
        f"127.0.0.1 FALSE /other FALSE {LATER} elsewhere no",
        f"127.0.0.1 FALSE / TRUE {LATER} secure no",
        "127.0.0.1 FALSE / FALSE 1000 stale no",
        f"example.org FALSE / FALSE {LATER} stranger no",
        f"LOCALHOST FALSE / FALSE {LATER} name yes",
    )
    await ask(HTTPXTransport(cookies=cookies), origin.url("file.bin"), localhost(origin.url("file.bin")))
    numbered, named = (request.headers["cookie"] for request in origin.requests)
    assert sorted(numbered.split("; ")) == ["deep=yes", "own=yes", "session=yes"]
    assert named == "name=yes"


@pytest.mark.parametrize(
    ("line", "host", "sent"),
    [
        (".example.org TRUE", "example.org", True),
        (".example.org TRUE", "a.example.org", True),
        ("example.org FALSE", "example.org", True),
        ("example.org FALSE", "a.example.org", False),
        (".example.org TRUE", "badexample.org", False),
        (".example.org TRUE", "example.org.evil.net", False),
    ],
)
def test_cookie_of_a_domain_goes_to_its_hosts_and_cookie_of_a_host_to_it_alone(line, host, sent):
    """As browsers have it."""
    request = httpx.Request("GET", f"https://{host}/")
    Cookies.of_file(jar(f"{line} / FALSE {LATER} a b")).add_to(request)
    assert request.headers.get("cookie") == ("a=b" if sent else None)


async def test_callers_cookie_comes_before_those_of_the_file(origin, other):
    """For the origin that it was given for; where that is left, the file has the word again."""
    cookies = jar(f"127.0.0.1 FALSE / FALSE {LATER} a file")
    origin.set("old", Behaviour(redirect=Redirect(other.url("file.bin"))))
    await ask(HTTPXTransport(cookies=cookies), origin.url("old"), Cookie="a=mine")
    assert (origin.requests[0].headers["cookie"], other.requests[0].headers["cookie"]) == ("a=mine", "a=file")


async def test_what_a_redirect_sets_is_for_its_own_exchange(origin):
    """A login that sends one back to the file works; the next exchange knows nothing of it, nor does the file."""
    cookies = jar(f"127.0.0.1 FALSE / FALSE {LATER} a file")
    before = Path(cookies).read_text()
    sets = (("Set-Cookie", "id=1; Path=/"), ("Set-Cookie", "a=new; Path=/"), ("Set-Cookie", "far=1; Domain=x.example"))
    origin.set("old", Behaviour(redirect=Redirect("/file.bin"), headers=sets))
    transport = HTTPXTransport(cookies=cookies)
    await ask(transport, origin.url("old"), origin.url("file.bin"))
    sent = [sorted(request.headers["cookie"].split("; ")) for request in origin.requests]
    assert sent == [["a=file"], ["a=new", "id=1"], ["a=file"]]
    assert Path(cookies).read_text() == before


async def test_what_a_redirect_sets_goes_to_no_other_host(origin, other):
    """Neither along with the redirect, nor for a domain that is not the host's own."""
    sets = (("Set-Cookie", f"id={CANARY}"), ("Set-Cookie", f"far={CANARY}; Domain=localhost"))
    origin.set("old", Behaviour(redirect=Redirect(localhost(other.url("old"))), headers=sets))
    other.set("old", Behaviour(redirect=Redirect(origin.url("file.bin"))))
    await ask(HTTPXTransport(), origin.url("old"))
    assert "cookie" not in other.requests[0].headers
    assert origin.requests[1].headers["cookie"] == f"id={CANARY}"


async def test_cookie_that_is_taken_back_is_not_sent(origin):
    """Also one of the file, as long as the exchange lasts."""
    cookies = jar(f"127.0.0.1 FALSE / FALSE {LATER} a file")
    origin.set("old", Behaviour(redirect=Redirect("/file.bin"), headers=(("Set-Cookie", "a=; Max-Age=0; Path=/"),)))
    await ask(HTTPXTransport(cookies=cookies), origin.url("old"))
    assert "cookie" not in origin.requests[1].headers


async def test_nonsense_that_a_redirect_sets_is_passed_over(origin):
    """And nobody is told what it was."""
    nonsense = (("Set-Cookie", f"{CANARY}; Max-Age={CANARY}"), ("Set-Cookie", ";;="), ("Set-Cookie", "b=2; Version=x"))
    origin.set("old", Behaviour(redirect=Redirect("/file.bin"), headers=nonsense))
    await ask(HTTPXTransport(), origin.url("old"))
    assert CANARY not in str(origin.requests[1].headers)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        f'[{{"name": "a", "value": "{CANARY}"}}]',
        JAR + CANARY,
        JAR + f"a.example\tFALSE\t/\tFALSE\t{CANARY}\ta\tb\n",
        b"\xff\xfe\x00" + CANARY.encode(),
    ],
)
def test_file_of_cookies_that_cannot_be_used_is_named_and_not_quoted(text):
    """With what is to be done about it."""
    path = Path.home() / "cookies.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidSetting) as caught:
        HTTPXTransport(cookies=str(path))
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize("head", ["# Netscape HTTP Cookie File\n# by curl\n\n", "# HTTP Cookie File\n# by wget\n"])
def test_heads_of_curl_and_wget_are_known(head):
    """And lines may end as on Windows."""
    assert len(Cookies.of_file(jar(f"a.example FALSE / FALSE {LATER} a b\r", head=head))) == 1


async def test_nothing_of_the_files_is_in_a_repr_or_a_log(origin, caplog, monkeypatch):
    """Not even when the library is told to log its cookies."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("http.cookiejar.debug", True)
    netrc(f"machine 127.0.0.1 login me password {CANARY}\n")
    origin.set("old", Behaviour(redirect=Redirect("/file.bin"), headers=(("Set-Cookie", f"b={CANARY}"),)))
    transport = believing(cookies=jar(f"127.0.0.1 FALSE / FALSE {LATER} a {CANARY}"))
    await ask(transport, origin.url("old"))
    assert all(value in str(origin.requests[1].headers) for value in (MINE, f"a={CANARY}", f"b={CANARY}"))
    told = repr((transport, vars(transport))) + repr((Logins(), Cookies.none()))
    assert CANARY not in told
    assert CANARY not in caplog.text


# -- certificates of ours --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def demanding(authority):
    """A server that speaks only to whom the authority has certified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Origin([FILE], tls=context) as one:
        yield one


@pytest.fixture
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def files(authority, tmp_path):
    """A certificate with its key in one file and in two, another's key, a locked key and nonsense."""
    ours, others = authority.issue_cert("ours.example"), authority.issue_cert("others.example")
    key = serialization.load_pem_private_key(ours.private_key_pem.bytes(), None)
    lock = serialization.BestAvailableEncryption(CANARY.encode())
    held = {
        "both": ours.private_key_and_cert_chain_pem.bytes(),
        "certificate": ours.cert_chain_pems[0].bytes(),
        "key": ours.private_key_pem.bytes(),
        "other key": others.private_key_pem.bytes(),
        "locked": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock),
        "nonsense": CANARY.encode(),
    }
    for name, content in held.items():
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in [*held, "missing"]}


@pytest.mark.parametrize(("certificate", "key"), [("both", None), ("certificate", "key")])
async def test_server_that_demands_a_certificate_gets_ours(demanding, trusting, files, certificate, key):
    """From one file or from two."""
    transport = HTTPXTransport(
        ssl_context=trusting, client_certificate=files[certificate], client_key=key and files[key]
    )
    async with transport.exchange(Call(url=demanding.url("file.bin"))) as reply:
        assert reply.head.status == 200
    await transport.aclose()


async def test_server_that_demands_a_certificate_and_gets_none_says_so(demanding, trusting):
    """It is no failure that another attempt would mend."""
    transport = HTTPXTransport(ssl_context=trusting)
    with pytest.raises(TransferError) as caught:
        await ask(transport, demanding.url("file.bin"))
    assert caught.value.cause is Cause.TLS
    assert "client_certificate" in caught.value.message


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("missing", None, "client_certificate: {missing} cannot be read: No such file or directory"),
        ("certificate", "missing", "client_key: {missing} cannot be read: No such file or directory"),
        ("nonsense", None, "no certificate and key in PEM format are found in {nonsense}"),
        ("certificate", None, "no certificate and key in PEM format are found in {certificate}"),
        ("certificate", "other key", "the key in {other key} is not that of the certificate in {certificate}"),
        ("certificate", "locked", "the key in {locked} is locked by a passphrase"),
        (None, "key", "client_key is set without a client_certificate"),
    ],
)
def test_certificate_that_cannot_be_used_is_told_at_once(files, certificate, key, said):
    """By the name of the file, without what is in it, and without asking anybody for a passphrase."""
    with pytest.raises(InvalidSetting) as caught:
        HTTPXTransport(client_certificate=certificate and files[certificate], client_key=key and files[key])
    assert caught.value.message == said.format_map(files)
    assert caught.value.hint
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.law(9)
@pytest.mark.parametrize("kind", ["cookies", "client_certificate"])
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(kind, tmp_path):
    """Opening it would wait for a writer, who may never come."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidSetting, match="no regular file"):
        HTTPXTransport(**{kind: str(pipe)})


@pytest.mark.parametrize("kind", ["nothing", "no certificates"])
def test_authorities_that_the_environment_names_and_cannot_be_read_are_told_at_once(kind, monkeypatch, tmp_path):
    """By the name of the variable, before anything is asked; without the environment they do not matter."""
    named = tmp_path / "authorities.pem"
    if kind == "no certificates":
        named.write_text("not a certificate\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(named))
    with pytest.raises(InvalidSetting, match="SSL_CERT_FILE") as told:
        HTTPXTransport(trust_env=True)
    assert "SSL_CERT_FILE" in told.value.hint
    HTTPXTransport(trust_env=False)


def test_who_is_trusted_is_read_when_somebody_is_to_be(monkeypatch, origin):
    """Plain http needs no certificates, and does not wait for them."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    asked = []
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: asked.append(1) or ssl.create_default_context())

    async def ask(url: str) -> int:
        transport = HTTPXTransport()
        try:
            async with transport.exchange(Call(url=url)) as reply:
                return reply.head.status
        finally:
            await transport.aclose()

    assert trio.run(ask, f"{origin.root}{FILE.name}") == 200
    assert asked == []
    with pytest.raises(TransferError):
        trio.run(ask, "https://127.0.0.1:9/file.bin")
    assert asked == [1]
