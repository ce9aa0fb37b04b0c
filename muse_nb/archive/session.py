"""The one way to the archive: addresses that can be swapped, time limits, pauses and second tries, sign-in."""

from __future__ import annotations

import logging
import random
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase

from muse_nb import __version__
from muse_nb.archive.account import HOST, Token, find_account
from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.core.text import printable

__all__ = ["BUSY", "Archive", "Cancelled", "Refused"]

ARCHIVE, PORTAL, SIGN_IN = "https://archive.eso.org", "https://dataportal.eso.org", f"https://{HOST}"
BUSY = frozenset([408, 425, 429, 500, 502, 503, 504])  # come back later
TRIES = 6
FIRST_PAUSE = 1.0  # seconds before the second try; each further one waits twice as long
LONGEST = 120.0  # seconds at most between two tries, unless the archive asks for more
PATIENCE = 900.0  # seconds at most that it may ask for
TIMEOUT = (20.0, 60.0)  # seconds to connect, and between two pieces of an answer
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAP = 0.1


class Cancelled(MuseError):
    """The user has stopped the work."""


class Refused(MuseError):
    """The archive answered with an error.

    Attributes
    ----------
    status : int
    """

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class _Bearer(AuthBase):
    """Signs with a token, or with nothing: where an auth is given, requests does not look into the netrc.

    A netrc's password for the same host would otherwise take the place of the token.
    """

    def __init__(self, token: Token | None = None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.text}"
        return request


class _Session(requests.Session):
    """A session with time limits that never takes a password from a netrc, not even when it is sent elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _Bearer()
        self.max_redirects = 5
        self.headers["User-Agent"] = f"muse_nb/{__version__} {self.headers['User-Agent']}"

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", TIMEOUT)
        return super().request(method, url, **options)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        url, origin = prepared_request.url or "", response.request.url or ""
        if "Authorization" in prepared_request.headers and self.should_strip_auth(origin, url):
            del prepared_request.headers["Authorization"]


class Archive:
    """ESO's archive, or another that speaks as it does.

    Parameters
    ----------
    base
        Takes the place of all its hosts; by default ESO's.
    cancel
        Ends every wait when it is set.
    tell
        Told of pauses, in the one form of progress.
    """

    def __init__(self, base: str | None = None, *, cancel: Stop | None = None, tell: Progress | None = None) -> None:
        self._base = _checked(base) if base else ""
        self.cancel, self._tell = cancel, tell or silent
        self._local = threading.local()
        self._signing = threading.Lock()
        self._token: Token | None = None

    @property
    def tap(self) -> str:
        """Base of its table access."""
        return f"{self._base or ARCHIVE}/tap_obs"

    @property
    def calselector(self) -> str:
        """Where the calibrations of an exposure are asked for."""
        return f"{self._base or ARCHIVE}/calselector/v1/associations"

    def file(self, dp_id: str) -> str:
        """Address of a file."""
        return f"{self._base or PORTAL}/dataPortal/file/{quote(dp_id, safe=':')}"

    def datalink(self, dp_id: str) -> str:
        """Address of what belongs to a file."""
        return f"{self._base or ARCHIVE}/datalink/links?ID=ivo://eso.org/ID?{quote(dp_id, safe=':')}"

    def at_home(self, url: str) -> str:
        """Bring an address that the archive gave to this archive's hosts.

        Raises
        ------
        MuseError
            It leads elsewhere.
        """
        parts = urlsplit(url)
        if self._base:
            base = urlsplit(self._base)
            path = parts.path if parts.path.startswith(base.path) else base.path + parts.path
            return urlunsplit((base.scheme, base.netloc, path, parts.query, ""))
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not (host == "eso.org" or host.endswith(".eso.org")):
            raise MuseError(f"the archive names an address elsewhere ({printable(host)}): it is not followed")
        return urlunsplit(("https", parts.netloc.replace(":80", ""), parts.path, parts.query, ""))

    @property
    def session(self) -> requests.Session:
        """This thread's own."""
        if not hasattr(self._local, "session"):
            self._local.session = _Session()
        session: requests.Session = self._local.session
        return session

    def request(
        self, method: str, url: str, *, sign: bool = True, tries: int = TRIES, **options: Any
    ) -> requests.Response:
        """Ask, and ask again after a pause while the archive is busy or out of reach; sign in where it wants that.

        Parameters
        ----------
        method, url
            As of `requests.Session.request`.
        sign
            Show a token where there is one, and get one where the archive answers 401.
        tries
            How often to ask.
        **options
            As of `requests.Session.request`.

        Returns
        -------
        requests.Response
            With a status below 400 or one of 404, 405, 416 and 501, which mean something to who asked.

        Raises
        ------
        Refused
            It answered with an error that stayed.
        MuseError
            It cannot be reached, or the work was cancelled.
        """
        signed = False
        for attempt in range(1, tries + 1):
            self.check()
            token = self._fresh_token() if sign else None
            try:
                answer = self.session.request(method, url, auth=_Bearer(token), **options)
            except requests.RequestException as error:
                if attempt >= tries or not _passing(error):
                    raise MuseError(_unreachable(url, error)) from None
                self.wait(self.delay(attempt), f"{_host(url)} is out of reach")
                continue
            if answer.status_code < 400 or answer.status_code in (404, 405, 416, 501):
                return answer
            answer.close()
            if answer.status_code == 401 and sign and not signed:
                signed = True
                if self.sign_in(token):
                    continue
            if answer.status_code not in BUSY or attempt >= tries:
                raise Refused(_refusal(url, answer.status_code, self._token is not None), answer.status_code)
            self.wait(_asked(answer) or self.delay(attempt), f"{_host(url)} is busy ({answer.status_code})")
        raise MuseError(f"{_host(url)} stays busy: try again later")

    def check(self) -> None:
        """Stop where the work was cancelled.

        Raises
        ------
        Cancelled
        """
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("fetching was cancelled: what is there is kept, and the next run goes on from it")

    def wait(self, seconds: float, why: str) -> None:
        """Pause in naps, so that a cancel ends it at once."""
        if seconds >= 1:
            self._tell(f"{why}: next try in {seconds:.0f} s", 0, 0)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(_NAP, left))

    def delay(self, attempt: int) -> float:
        """Seconds to wait after a try that failed."""
        return min(LONGEST, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2)

    def sign_in(self, spent: Token | None = None) -> bool:
        """Get a token where there is an account; False where there is none.

        Parameters
        ----------
        spent
            The token that was refused; another thread may have got a new one meanwhile.

        Raises
        ------
        MuseError
            The archive does not take the password, or the address is not safe for one.
        """
        with self._signing:
            if self._token is not None and self._token is not spent and self._token.fresh:
                return True
            account = find_account()
            if account is None:
                return False
            where = f"{self._base or SIGN_IN}/sso/oidc/token"
            if urlsplit(where).scheme != "https" and urlsplit(where).hostname not in _LOOPBACK:
                raise MuseError(f"{self._base} is not https: no password is sent there")
            words = {
                "response_type": "id_token token",
                "grant_type": "password",
                "client_id": "clientid",
                "client_secret": "clientSecret",
                "username": account.name,
                "password": account.password,
            }
            self._token = self._ask_for_token(where, words, account.source)
            return True

    def _ask_for_token(self, where: str, words: dict[str, str], source: str) -> Token:
        """Ask as the archive wants it, the password in the address; so errors and logs must not quote the address."""
        log = logging.getLogger("urllib3.connectionpool")
        log.addFilter(_silence)
        try:
            for attempt in range(1, TRIES + 1):
                self.check()
                try:
                    answer = self.session.get(where, params=words, auth=_Bearer(), allow_redirects=False)
                except requests.RequestException:
                    answer = None
                if answer is not None and answer.status_code not in BUSY:
                    break
                if attempt < TRIES:
                    self.wait((_asked(answer) if answer is not None else 0) or self.delay(attempt), "sign-in is busy")
        finally:
            log.removeFilter(_silence)
        if answer is None or answer.status_code in BUSY:
            raise MuseError(f"{_host(where)} cannot be reached to sign in: check the network and try again")
        try:
            text = answer.json()["id_token"] if answer.status_code == 200 else ""
        except (ValueError, KeyError, TypeError):
            text = ""
        if not isinstance(text, str) or not text:
            raise Refused(f"{_host(where)} does not take the account of {source}: check name and password", 401)
        return Token.read(text)

    def _fresh_token(self) -> Token | None:
        if self._token is not None and not self._token.fresh:
            self.sign_in(self._token)
        return self._token


def _silence(record: logging.LogRecord) -> bool:
    return "password=" not in record.getMessage()


def _checked(base: str) -> str:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise MuseError(f"{printable(base)} is no address of an archive: it should look like https://archive.eso.org")
    return base.rstrip("/")


def _host(url: str) -> str:
    return printable(urlsplit(url).netloc)


def _passing(error: requests.RequestException) -> bool:
    """Whether a second try may help: an address without a host, or a certificate that is wrong, stay so."""
    return isinstance(
        error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    ) and not isinstance(error, requests.exceptions.SSLError)


def _unreachable(url: str, error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"{_host(url)} shows a certificate that is not valid: check the address and this machine's clock"
    if isinstance(error, requests.Timeout):
        return f"{_host(url)} does not answer: check the network, or try again later"
    return f"{_host(url)} cannot be reached ({type(error).__name__}): check the network, or try again later"


def _asked(answer: requests.Response) -> float:
    """Seconds that the archive asks to wait; 0 where it does not say."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), PATIENCE)


def _refusal(url: str, status: int, signed: bool) -> str:
    name = printable(urlsplit(url).path.rsplit("/", 1)[-1])
    if status == 401 and not signed:
        return (
            f"{name} is not public: sign in with ESO_USERNAME and ESO_PASSWORD, or machine {HOST} in ~/.netrc,"
            " or the keyring"
        )
    if status in (401, 403):
        return f"{name} is not open to this account: ask for its programme, or wait for its release date"
    if status == 429:
        return f"{_host(url)} has been asked too often: try again later"
    if status >= 500:
        return f"{_host(url)} is out of order ({status}): try again later"
    return f"{_host(url)} refuses to give {name} ({status})"
