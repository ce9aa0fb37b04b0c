"""Protects the account: found in three places, sent to sign in alone, renewed, and never seen anywhere else."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from holdings import SCIENCE
from server import Server, State

import muse_nb
from muse_nb.archive.account import Account, Token, find_account
from muse_nb.archive.session import Archive
from muse_nb.core.errors import MuseError

NAME, PASSWORD = "astronomer", "s3cret-Wort"


@pytest.fixture
def proprietary(server: Server, state: State) -> Server:
    for name in SCIENCE:
        state.files[name].proprietary = True
    return server


def fetch(server: Server, folder: Path) -> muse_nb.archive.result.Fetched:
    return muse_nb.fetch(folder, target="NGC 6397", archive=server.url, logs=False)


def from_environment(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setenv("ESO_USERNAME", NAME)
    monkeypatch.setenv("ESO_PASSWORD", PASSWORD)


def from_netrc(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The loopback address has an entry, too: requests would put it in place of the token."""
    netrc = folder / "netrc"
    netrc.write_text(
        f"machine www.eso.org login {NAME} password {PASSWORD}\nmachine 127.0.0.1 login wrong password trap\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


def from_keyring(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    import keyring
    from keyring.credentials import SimpleCredential

    monkeypatch.setattr(
        keyring,
        "get_credential",
        lambda service, _: SimpleCredential(NAME, PASSWORD) if service == "www.eso.org" else None,
    )


@pytest.mark.parametrize("where", [from_environment, from_netrc, from_keyring])
def test_proprietary_files_are_signed_in_for(where, proprietary: Server, state: State, tmp_path, monkeypatch, caplog):
    where(monkeypatch, tmp_path)
    caplog.set_level(logging.DEBUG)
    found = fetch(proprietary, tmp_path / "raw")
    assert not found.failed
    assert len(found.files) == 2
    asked = [(path, headers) for _, path, headers in state.requests]
    with_password = [path for path, headers in asked if PASSWORD in path + str(headers)]
    assert [path.split("?")[0] for path in with_password] == ["/sso/oidc/token"]
    assert all("Basic" not in str(headers) for _, headers in asked)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in str(found.summary()) + repr(found)
    assert not any(PASSWORD.encode() in path.read_bytes() for path in (tmp_path / "raw").iterdir())


def test_public_files_are_fetched_without_an_account(server: Server, state: State, tmp_path, monkeypatch) -> None:
    from_environment(monkeypatch, tmp_path)
    assert not fetch(server, tmp_path / "raw").failed
    assert not state.tokens


def test_without_an_account_the_sentence_says_how_to_sign_in(proprietary: Server, tmp_path) -> None:
    found = fetch(proprietary, tmp_path / "raw")
    assert set(found.failed) == set(SCIENCE)
    assert "is not public: sign in with ESO_USERNAME and ESO_PASSWORD" in found.failed[SCIENCE[0]]


def test_who_may_see_proprietary_data_signs_in_before_asking_for_their_calibrations(
    proprietary: Server, state: State, tmp_path, monkeypatch
) -> None:
    from_environment(monkeypatch, tmp_path)
    state.rows[0]["release_date"] = "2999-01-01T00:00:00Z"
    muse_nb.list_archive(target="NGC 6397", calibrations="raw", archive=proprietary.url)
    (asked,) = [headers for _, path, headers in state.requests if "calselector" in path]
    assert asked["Authorization"].startswith("Bearer ")


def test_a_wrong_password_is_a_sentence_without_it(proprietary: Server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ESO_USERNAME", NAME)
    monkeypatch.setenv("ESO_PASSWORD", "wr0ng-Wort")
    found = fetch(proprietary, tmp_path / "raw")
    assert "does not take the account of ESO_USERNAME and ESO_PASSWORD" in found.failed[SCIENCE[0]]
    assert "wr0ng-Wort" not in str(found.failed)


def test_a_token_that_ends_is_renewed(proprietary: Server, state: State, tmp_path, monkeypatch) -> None:
    from_environment(monkeypatch, tmp_path)
    archive = Archive(proprietary.url)
    archive.request("GET", archive.file(SCIENCE[0]))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + state.token_life - 10)  # seconds before its end
    archive.request("GET", archive.file(SCIENCE[0]))
    assert len(state.tokens) == 2
    assert sum("/dataPortal" in path for _, path, _ in state.requests) == 3  # the first was answered 401


def test_a_token_that_the_archive_forgot_is_renewed(proprietary: Server, state: State, tmp_path, monkeypatch) -> None:
    from_environment(monkeypatch, tmp_path)
    archive = Archive(proprietary.url)
    archive.request("GET", archive.file(SCIENCE[0]))
    state.tokens = dict.fromkeys(state.tokens, 0.0)
    assert archive.request("GET", archive.file(SCIENCE[0])).status_code == 200


def test_a_busy_sign_in_is_tried_again(proprietary: Server, state: State, tmp_path, monkeypatch) -> None:
    from_environment(monkeypatch, tmp_path)
    state.faults["/sso"] = [(503, {}), (0, {})]
    assert not fetch(proprietary, tmp_path / "raw").failed


def test_no_password_goes_over_an_open_line(monkeypatch, tmp_path) -> None:
    from_environment(monkeypatch, tmp_path)
    with pytest.raises(MuseError, match="is not https: no password is sent there"):
        Archive("http://archive.example.org").sign_in()


def test_tokens_stay_with_the_archive() -> None:
    """A redirect to another host does not take the token along, nor a netrc's password."""
    archive = Archive()
    assert archive.at_home("http://archive.eso.org/x?y=1") == "https://archive.eso.org/x?y=1"
    for elsewhere in ("https://evil.example.org/x", "https://archive.eso.org.evil.example/x", "file:///etc/passwd"):
        with pytest.raises(MuseError, match="elsewhere"):
            archive.at_home(elsewhere)
    assert Archive("http://127.0.0.1:1/base").at_home("https://dataportal.eso.org/a?b") == "http://127.0.0.1:1/base/a?b"


def test_a_redirect_elsewhere_takes_no_token_along(proprietary: Server, state: State, tmp_path, monkeypatch) -> None:
    from_environment(monkeypatch, tmp_path)
    archive = Archive(proprietary.url)
    archive.sign_in()
    with Server() as other:
        state.faults["/dataPortal"] = [(302, {"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/got"})]
        archive.request("GET", archive.file(SCIENCE[0]))
        (_, path, headers) = other.state.requests[0]
    assert path == "/got"
    assert "Authorization" not in headers


def test_secrets_do_not_show_themselves(monkeypatch, tmp_path) -> None:
    assert PASSWORD not in repr(Account(NAME, PASSWORD, "here"))
    assert "abc" not in repr(Token("abc.def.ghi", None))
    assert Token.read("no.token").expires is None
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine www.eso.org login {NAME} passwort {PASSWORD}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("ESO_PASSWORD", raising=False)
    with pytest.raises(MuseError, match="is no netrc file") as caught:
        find_account()
    assert PASSWORD not in str(caught.value)
    netrc.write_text(f"default login {NAME} password {PASSWORD}\n")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    assert find_account() is None  # a default entry is for others
