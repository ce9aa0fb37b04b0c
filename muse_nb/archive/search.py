"""Searching the archive's raw files: a question in words of an observer becomes ADQL, the answer becomes files."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from muse_nb.archive.listing import ArchiveFile
from muse_nb.archive.session import Archive, Refused
from muse_nb.archive.votable import plain
from muse_nb.core.errors import MuseError
from muse_nb.core.text import printable
from muse_nb.products.night.clock import bounds

if TYPE_CHECKING:
    from pyvo.dal import TAPResults

__all__ = ["Question", "ask", "facts_of"]

COLUMNS = (
    "dp_id",
    "dp_cat",
    "dp_type",
    "ins_mode",
    "date_obs",
    "exp_start",
    "exposure",
    "access_estsize",
    "release_date",
    "object",
    "target",
    "prog_id",
    "datalink_url",
)
AT_ONCE = 150  # names in one question
_KILO = 1000  # ObsCore gives sizes in kbyte
_LARGEST_KB = 1e7  # no frame has 10 GB: a larger number without a unit counts bytes
_BYTES = {"byte": 1, "b": 1, "kbyte": 1000, "kb": 1000, "kibyte": 1024, "mbyte": 10**6, "mb": 10**6, "gbyte": 10**9}


@dataclass(frozen=True)
class Question:
    """What is looked for; all that is given must hold.

    Attributes
    ----------
    target : str
        Name of the target or of the object as the observer wrote it; blanks, hyphens and case do not count.
    position : (float, float, float) or None
        RA, Dec and radius [deg].
    programme : str
        As in ``60.A-9100(C)``, or without the run for all its runs.
    night : str
        Date of the evening, as in ``2014-07-27``: noon to noon in Chile.
    mode : str
        INS MODE, as in ``WFM-NOAO-N``.
    limit : int
        Files at most.
    """

    target: str = ""
    position: tuple[float, float, float] | None = None
    programme: str = ""
    night: str = ""
    mode: str = ""
    limit: int = 1000

    def adql(self) -> str:
        """Write it as ADQL.

        Raises
        ------
        MuseError
            It asks for nothing, or for what cannot be.
        """
        if not (self.target or self.position or self.programme or self.night):
            raise MuseError("say what to look for: a target, a position, a programme or a night")
        where = ["instrument = 'MUSE'", "dp_cat = 'SCIENCE'"]
        if self.target:
            pattern = _text("%" + "%".join(_words(self.target)) + "%")
            where.append(f"(UPPER(target) LIKE {pattern} OR UPPER(object) LIKE {pattern})")
        if self.position is not None:
            ra, dec, radius = self.position
            if not (math.isfinite(ra) and 0 <= ra <= 360 and abs(dec) <= 90 and 0 < radius <= 10):
                raise MuseError(
                    f"the position {ra:g} {dec:g} {radius:g} is not RA (0 to 360), Dec (-90 to 90) and radius"
                    " (up to 10) in degrees"
                )
            where.append(f"CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra:.7f}, {dec:.7f}, {radius:.7f})) = 1")
        if self.programme:
            where.append(f"prog_id LIKE {_text(self.programme.strip() + '%')}")
        if self.night:
            try:
                first, last = (moment.strftime("%Y-%m-%dT%H:%M:%S") for moment in bounds(self.night))
            except ValueError:
                raise MuseError(f"{printable(self.night)} is no night: give the evening's date as 2014-07-27") from None
            where.append(f"exp_start >= '{first}' AND exp_start < '{last}'")
        if self.mode:
            where.append(f"ins_mode = {_text(self.mode.strip().upper())}")
        return f"SELECT {', '.join(COLUMNS)} FROM dbo.raw WHERE {' AND '.join(where)} ORDER BY exp_start"

    def fits(self, row: dict[str, Any]) -> bool:
        """Hold a row against what ADQL says too loosely: NGC 63 is not NGC 6397, nor one programme another."""
        if str(row.get("dp_cat") or "SCIENCE") != "SCIENCE":
            return False
        if self.target:
            known = [str(row[name]) for name in ("target", "object") if row.get(name)]
            if known and not any(_holds(name, self.target) for name in known):
                return False
        if self.programme and row.get("prog_id"):
            rest = str(row["prog_id"]).upper().removeprefix(self.programme.strip().upper())
            return rest == "" or not rest[0].isalnum()
        return True


def ask(archive: Archive, question: Question) -> tuple[list[ArchiveFile], bool]:
    """Search; say also whether there are more files than `question.limit`.

    Raises
    ------
    MuseError
        The archive does not answer, or not with a table.
    """
    rows, cut = _query(archive, question.adql(), question.limit + 1)
    files = [_file(row) for row in rows if row.get("dp_id") and question.fits(row)]
    unique = list({file.dp_id: file for file in files}.values())
    return unique[: question.limit], cut or len(rows) > question.limit


def facts_of(archive: Archive, dp_ids: Iterable[str]) -> dict[str, ArchiveFile]:
    """Look up what the archive knows of files; those that are no raw files are not found."""
    wanted = sorted(set(dp_ids))
    found: dict[str, ArchiveFile] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        names = ", ".join(_text(name) for name in some)
        query = f"SELECT {', '.join(COLUMNS)} FROM dbo.raw WHERE dp_id IN ({names})"
        rows, _ = _query(archive, query, len(some) + 1)
        found |= {str(row["dp_id"]): _file(row) for row in rows if row.get("dp_id") in some}
    return found


def _query(archive: Archive, adql: str, most: int) -> tuple[list[dict[str, Any]], bool]:
    """Ask TAP; rows, and whether the archive left some out."""
    from pyvo.dal import DALOverflowWarning, TAPService
    from pyvo.dal.exceptions import DALAccessError

    service = TAPService(archive.tap, session=_Through(archive))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("ignore", DALOverflowWarning)
            results = service.run_sync(adql, maxrec=most)
    except MuseError:
        raise
    except DALAccessError as error:
        cause: BaseException | None = error
        while cause is not None:  # our own sentence, wrapped
            if isinstance(cause, MuseError):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        words = " ".join(printable(error.reason or type(error).__name__).split())
        raise MuseError(f"the archive does not answer the search ({words[:200]}): try again later") from None
    except Exception as error:
        raise MuseError(
            f"the archive's answer to the search is no table ({type(error).__name__}): try again later"
        ) from None
    return _rows(results), str(results.query_status).upper() == "OVERFLOW"


def _rows(results: TAPResults) -> list[dict[str, Any]]:
    fields = [str(name).lower() for name in results.fieldnames]
    unit = next((f.unit for f in results.resultstable.fields if str(f.name).lower() == "access_estsize"), None)
    rows = [{name: plain(value) for name, value in zip(fields, row, strict=True)} for row in results.resultstable.array]
    for row in rows:
        row["bytes"] = _bytes(row.get("access_estsize"), str(unit or "").strip().lower())
    return rows


class _Through:
    """What pyvo takes for a session: every request goes through the archive's own tries and pauses."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def post(self, url: str, **options: Any) -> Any:
        return self._answer(self._archive.request("POST", url, sign=False, **options))

    def get(self, url: str, **options: Any) -> Any:
        return self._answer(self._archive.request("GET", url, sign=False, **options))

    def _answer(self, answer: Any) -> Any:
        if answer.status_code >= 400:
            raise Refused(f"{self._archive.tap} answers {answer.status_code}: check the archive's address", 404)
        return answer


def _file(row: dict[str, Any]) -> ArchiveFile:
    exposure = row.get("exposure")
    return ArchiveFile(
        dp_id=str(row["dp_id"]),
        category=str(row.get("dp_cat") or "?"),
        type=str(row.get("dp_type") or "?"),
        mode=_string(row.get("ins_mode")),
        date_obs=_string(row.get("date_obs") or row.get("exp_start")),
        exposure=float(exposure) if isinstance(exposure, (int, float)) else None,
        bytes=row.get("bytes"),
        release=_string(row.get("release_date")),
        object=_string(row.get("object") or row.get("target")),
        programme=_string(row.get("prog_id")),
        datalink=_string(row.get("datalink_url")),
    )


def _bytes(value: Any, unit: str) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return None
    if unit in _BYTES:
        return int(value * _BYTES[unit])
    return int(value if value > _LARGEST_KB else value * _KILO)


def _string(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(words: str) -> str:
    """A string of ADQL."""
    if any(ord(c) < 32 for c in words):
        raise MuseError(f"{printable(words)} holds what cannot be searched for: leave it out")
    return "'" + words.replace("'", "''") + "'"


def _words(name: str) -> list[str]:
    """Runs of letters and of digits, without what observers write differently."""
    found = re.findall(r"[^\W\d_]+|\d+", name.upper())
    if not found:
        raise MuseError(f"{printable(name)} is no name of a target: it has no letter and no digit")
    return found


def _holds(name: str, wanted: str) -> bool:
    """Whether a name holds another, runs of digits and its first run of letters whole."""
    runs = [rf"(?<!\d){run}(?!\d)" if run.isdigit() else re.escape(run) for run in _words(wanted)]
    return re.search(r"(?<![^\W\d_])" + r"[\W_]*".join(runs), name.upper()) is not None
