"""CalSelector: which calibrations belong to an exposure, as the archive sees it, with its certificate and messages."""

from __future__ import annotations

import email
import email.policy
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import requests

from muse_nb.archive.session import Archive, Refused
from muse_nb.archive.votable import rows_of
from muse_nb.core.errors import MuseError
from muse_nb.core.text import listed, printable

__all__ = ["Association", "associations", "told"]

MODES = {"raw": "Raw2Raw", "master": "Raw2Master"}
AT_ONCE = 50  # exposures in one question


@dataclass(frozen=True)
class Association:
    """The calibrations of one exposure.

    Attributes
    ----------
    dp_id : str
        The exposure.
    files : dict
        Name of each calibration to its category.
    certified, complete : bool or None
        As the archive says; None where it does not.
    mode : str
        Raw2Raw or Raw2Master, as it was done.
    messages : tuple of str
    """

    dp_id: str
    files: dict[str, str]
    certified: bool | None
    complete: bool | None
    mode: str
    messages: tuple[str, ...] = ()


def associations(archive: Archive, dp_ids: Sequence[str], kind: str) -> list[Association]:
    """Ask for the calibrations of exposures.

    Parameters
    ----------
    archive
        Whom to ask.
    dp_ids
        The exposures.
    kind
        ``raw`` or ``master``.

    Raises
    ------
    MuseError
        It does not answer, or not in a form that is known.
    """
    found: list[Association] = []
    for start in range(0, len(dp_ids), AT_ONCE):
        some = list(dp_ids[start : start + AT_ONCE])
        words = [*(("dp_id", name) for name in some), ("mode", MODES[kind])]
        answer = archive.request("POST", archive.calselector, data=words)
        if answer.status_code in (404, 405, 501):
            answer = archive.request("GET", archive.calselector, params=words)
        if answer.status_code >= 400:
            raise Refused(f"{archive.calselector} answers {answer.status_code}: check the archive's address", 404)
        found += _read(answer, some)
    return found


def _read(answer: requests.Response, asked: list[str]) -> list[Association]:
    kind = answer.headers.get("Content-Type", "").lower()
    content = answer.content
    if "multipart" in kind:
        return [_tree(part, asked) for part in _parts(answer.headers["Content-Type"], content)]
    if "votable" in kind or b"<VOTABLE" in content[:2000]:
        return _table(content, asked)
    if content.lstrip()[:1] == b"<":
        return [_tree(content, asked)]
    raise MuseError(f"the archive's list of calibrations is of a form that is not known ({printable(kind)})")


def _parts(kind: str, content: bytes) -> Iterator[bytes]:
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + content, policy=email.policy.HTTP)
    if not message.is_multipart():
        raise MuseError("the archive's list of calibrations was cut short: try again")
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and payload.strip():
            yield payload


def _tree(content: bytes, asked: list[str]) -> Association:
    """Read an association with all that are nested in it."""
    if re.search(rb"<!(DOCTYPE|ENTITY)", content):
        raise MuseError("the archive's list of calibrations defines its own entities: it is not read")
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise MuseError(f"the archive's list of calibrations was cut short or is no XML ({error}): try again") from None
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag != "association":
        inner = root.find(".//association")
        if inner is None:
            raise MuseError("the archive's list of calibrations holds no association: try again later")
        root = inner
    main = [name for file in root.findall("mainFiles/file") if (name := file.get("name", "").strip())]
    dp_id = next((name for name in main if name in asked), asked[0] if len(asked) == 1 else (main or [""])[0])
    calibrations = {
        name: file.get("category", "").strip()
        for branch in root.findall("associatedFiles")
        for file in branch.iter("file")
        if (name := file.get("name", "").strip()) and name not in main
    }
    texts = [e.get("text") or e.text or "" for e in root.iter("message")]
    messages = tuple(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    return Association(
        dp_id,
        calibrations,
        _truth(root.get("certified")),
        _truth(root.get("complete")),
        root.get("mode") or "",
        messages,
    )


def _table(content: bytes, asked: list[str]) -> list[Association]:
    """Read the same as a VOTable: ``#this`` describes the association, ``#calibration`` is a file."""
    rows = rows_of(content, "calibrations")
    by_exposure: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        name = str(row.get("id") or "").rpartition("?")[2]
        by_exposure.setdefault(name if name in asked else asked[0], []).append(row)
    found = []
    for dp_id, some in by_exposure.items():
        described = next((str(r.get("description") or "") for r in some if str(r.get("semantics")) == "#this"), "")
        facts = dict(re.findall(r'(\w+)="([^"]*)"', described))
        files = {
            name: str(row.get("eso_category") or "")
            for row in some
            if str(row.get("semantics") or "").endswith("#calibration")
            and (name := unquote(urlsplit(str(row.get("access_url") or "")).path.rsplit("/", 1)[-1]))
        }
        messages = tuple(filter(None, [" ".join(facts.get("messages", "").split())]))
        found.append(
            Association(
                dp_id,
                files,
                _truth(facts.get("certified")),
                _truth(facts.get("complete")),
                facts.get("mode", ""),
                messages,
            )
        )
    return found


def _truth(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").strip().lower())


def told(found: Sequence[Association], asked: Sequence[str], kind: str) -> list[str]:
    """Say what the archive says of its calibrations: certificate, what is missing, messages."""
    said = []
    loose = [a.dp_id for a in found if a.certified is False]
    if loose:
        said.append(
            f"the calibrations of {listed(loose)} are not certified: the archive does that about two working days after"
            " the night"
        )
    gaps = [a.dp_id for a in found if a.complete is False]
    if gaps:
        said.append(f"the calibrations of {listed(gaps)} are not complete")
    other = [a.dp_id for a in found if a.mode and a.mode.lower() != MODES[kind].lower()]
    if other:
        modes = ", ".join(sorted({printable(a.mode) for a in found if a.dp_id in other}))
        said.append(f"for {listed(other)} the archive gives {modes}, not {MODES[kind]}")
    none = [name for name in asked if not any(a.dp_id == name and a.files for a in found)]
    if none:
        said.append(f"the archive gives no calibrations for {listed(none)}; it refuses those of proprietary data")
    texts: dict[str, list[str]] = {}
    for association in found:
        for text in association.messages:
            texts.setdefault(text, []).append(association.dp_id)
    return said + [f"the archive on {listed(names)}: {printable(text)}" for text, names in texts.items()]
