"""Whom we trust under TLS and who we are there: the context of every connection, with the user's own certificate.

A certificate is shown to every server that asks for one; its key is used and never sent.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpx

from lading.adapters.http import userfiles
from lading.domain.errors import InvalidSetting

_OTHER_KEY = "KEY_VALUES_MISMATCH"
OF_ENVIRONMENT = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def is_named(*, trust_env: bool) -> bool:
    """Tell whether the environment, when it is believed, names authorities."""
    return trust_env and any(os.environ.get(name) for name in OF_ENVIRONMENT)


def authorities(*, trust_env: bool) -> ssl.SSLContext:
    """Return a context that trusts the usual authorities, or those that the environment names, when it is believed.

    Raises:
        InvalidSetting: what the environment names cannot be read.
    """
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        if not is_named(trust_env=trust_env):
            raise
        trouble = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it holds no certificates"
    named = " or ".join(name for name in OF_ENVIRONMENT if os.environ.get(name))
    hint = f"correct {named}, or unset it to trust the usual authorities"
    raise InvalidSetting(f"the certificates that {named} names cannot be read: {trouble}", hint=hint)


def add(tls: ssl.SSLContext, certificate: str | None, key: str | None) -> None:
    """Add the user's certificate to a context; the key may lie in the certificate's file.

    Raises:
        InvalidSetting: a file is not there or does not hold what it should; what it does hold is not quoted.
    """
    if certificate is None:
        if key is not None:
            raise InvalidSetting("client_key is set without a client_certificate", hint="set both, or neither")
        return
    _check("client_certificate", certificate)
    if key is not None:
        _check("client_key", key)
    held_by = certificate if key is None else key
    asked: list[str] = []

    def ask_nobody() -> str:
        asked.append(held_by)
        return ""

    try:
        tls.load_cert_chain(certificate, key, password=ask_nobody)
    except (ssl.SSLError, ValueError) as error:
        message, hint = _found(error, certificate, held_by, is_locked=bool(asked))
    else:
        return
    raise InvalidSetting(message, hint=hint)


def _found(error: Exception, certificate: str, key: str, *, is_locked: bool) -> tuple[str, str]:
    """Return what is wrong with the files, and what to do about it."""
    if is_locked:
        return f"the key in {key} is locked by a passphrase", "unlock it: openssl pkey -in KEY -out UNLOCKED"
    if isinstance(error, ssl.SSLError) and error.reason == _OTHER_KEY:
        return f"the key in {key} is not that of the certificate in {certificate}", "set client_key to its own key"
    return (
        f"no certificate and key in PEM format are found in {' and '.join(dict.fromkeys((certificate, key)))}",
        "the certificate comes first; its key behind it or in the file of client_key",
    )


def _check(setting: str, path: str) -> None:
    """Refuse a file that cannot be read: OpenSSL would not say which one it was."""
    try:
        userfiles.check(path)
        with Path(path).open("rb"):
            return
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    except ValueError:
        trouble = "that is no path"
    raise InvalidSetting(f"{setting}: {path} cannot be read: {trouble}", hint=f"`lading config unset {setting}`")
