"""Who talks to whom: AE titles, addresses, and the keys of TLS. Nothing here needs pynetdicom."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from retinagan.runtime.errors import OptionError

_TITLE = re.compile(r"[ !-\[\]-~]{1,16}")  # printable ASCII but the backslash (PS3.5 6.2, AE)
_PORTS = range(1, 1 << 16)


def ae_title(text: str, option: str) -> str:
    """Return an AE title without spaces around it.

    Parameters
    ----------
    text : str
        As it was given.
    option : str
        The option, for the message.

    Raises
    ------
    OptionError
        If it is none.
    """
    if not _TITLE.fullmatch(text) or not text.strip():
        raise OptionError(
            f"{option}: got {text!r}; expected an AE title: 1 to 16 printable ASCII characters, no backslash"
        )
    return text.strip()


@dataclass(frozen=True)
class Peer:
    """Where results are sent: an archive's AE title, host and port."""

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read ``AET@HOST:PORT``; an IPv6 address stands in brackets.

        Raises
        ------
        OptionError
            If the text has another form.
        """
        title, separator, address = text.rpartition("@")
        host, colon, port = address.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not (separator and colon and host and port.isdecimal() and int(port) in _PORTS):
            raise OptionError(f"--send: got {text!r}; expected AET@HOST:PORT, such as ARCHIVE@10.0.0.5:104")
        return cls(ae_title(title, "--send"), host, int(port))

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Keys:
    """The PEM files of TLS: this node's certificate and key, and the authorities whose peers are trusted."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def for_serving(self) -> ssl.SSLContext | None:
        """Return how connections are accepted; None without TLS.

        With authorities, callers must have a certificate by one of them.

        Raises
        ------
        OptionError
            If a file is missing or is not what it should be.
        """
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._load_own(context)
        if self.authorities is not None:
            self._load_authorities(context, self.authorities)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def for_sending(self) -> ssl.SSLContext:
        """Return how connections are opened: the peer must have a certificate for its host's name.

        Raises
        ------
        OptionError
            If a file is missing or is not what it should be.
        """
        context = ssl.create_default_context()
        if self.certificate is not None:
            self._load_own(context)
        if self.authorities is not None:
            self._load_authorities(context, self.authorities)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        certificate = self.certificate
        key = "" if self.key is None else f", --tls-key {self.key}"
        try:
            context.load_cert_chain(
                str(certificate), None if self.key is None else str(self.key), _no_password
            )
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--tls-cert {certificate}{key}: {_reason(error)}; expected PEM files of a "
                "certificate and its key, which has no password"
            ) from None

    def _load_authorities(self, context: ssl.SSLContext, path: Path) -> None:
        try:
            context.load_verify_locations(str(path))
        except OSError as error:
            raise OptionError(
                f"--tls-ca {path}: {_reason(error)}; expected a PEM file of certificates"
            ) from None


def _no_password() -> str:
    raise ValueError("the key has a password")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
