"""Who signs in to the archive: from the environment, a netrc file or the system's keyring; kept in memory alone."""

from __future__ import annotations

import base64
import binascii
import json
import netrc
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["HOST", "Account", "Token", "find_account"]

HOST = "www.eso.org"
SERVICES = (HOST, f"astroquery:{HOST}")  # the second: where astroquery keeps it
_EARLY = 60.0  # seconds before its end at which a token is renewed, of a short one a tenth of its life


@dataclass(frozen=True)
class Account:
    """Name and password; neither is ever shown.

    Attributes
    ----------
    name, password : str
    source : str
        Where they are from, for sentences.
    """

    name: str = field(repr=False)
    password: str = field(repr=False)
    source: str = ""


@dataclass(frozen=True)
class Token:
    """What the archive gives for a password (a JSON Web Token); never shown.

    Attributes
    ----------
    text : str
    expires : float or None
        When to renew it, seconds since 1970; None where it does not say.
    """

    text: str = field(repr=False)
    expires: float | None

    @classmethod
    def read(cls, text: str) -> Token:
        """Read a token's end from its payload."""
        try:
            payload = text.split(".")[1]
            facts = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            end = float(facts["exp"])
            return cls(text, end - min(_EARLY, max(0.0, end - time.time()) / 10))
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            return cls(text, None)

    @property
    def fresh(self) -> bool:
        """Whether it will still be taken in a moment."""
        return self.expires is None or time.time() < self.expires


def find_account() -> Account | None:
    """Look for an account: ESO_USERNAME and ESO_PASSWORD, else machine www.eso.org of a netrc, else the keyring.

    Raises
    ------
    MuseError
        The netrc cannot be read.
    """
    name, password = os.environ.get("ESO_USERNAME", ""), os.environ.get("ESO_PASSWORD", "")
    if name and password:
        return Account(name, password, "ESO_USERNAME and ESO_PASSWORD")
    return _from_netrc() or _from_keyring(name or None)


def _from_netrc() -> Account | None:
    named = os.environ.get("NETRC")
    places = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for place in places:
        if not place.is_file():
            continue
        try:
            hosts = netrc.netrc(str(place)).hosts  # not authenticators(): a default entry is for others
        except netrc.NetrcParseError as error:  # its message may hold the password
            raise MuseError(f"{place} is no netrc file (line {error.lineno}): correct it") from None
        except OSError as error:
            raise MuseError(f"{place} cannot be read: {error.strerror}") from None
        if HOST in hosts:
            login, _, password = hosts[HOST]
            if login and password:
                return Account(login, password, f"{place}")
    return None


def _from_keyring(name: str | None) -> Account | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    for service in SERVICES:
        try:
            found = keyring.get_credential(service, name)
        except (KeyringError, OSError, RuntimeError):  # none on this machine, or locked
            return None
        if found is not None and found.username and found.password:
            return Account(found.username, found.password, "the keyring")
    return None
