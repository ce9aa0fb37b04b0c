"""Where the night log of an exposure is: datalink, which lists all that belongs to a file."""

from __future__ import annotations

from muse_nb.archive.session import Archive
from muse_nb.archive.votable import rows_of

__all__ = ["log_address"]

TRIES = 3  # a log is not worth a long wait
SEMANTICS = "eso#night_log"


def log_address(archive: Archive, dp_id: str) -> str | None:
    """Ask for the address of an exposure's night log; None where it has none.

    Raises
    ------
    MuseError
        The archive does not answer, or names an address elsewhere.
    """
    answer = archive.request("GET", archive.datalink(dp_id), tries=TRIES)
    if answer.status_code >= 400:
        return None
    for row in rows_of(answer.content, f"what belongs to {dp_id}"):
        if str(row.get("semantics") or "").endswith(SEMANTICS) and row.get("access_url"):
            return archive.at_home(str(row["access_url"]))
    return None
