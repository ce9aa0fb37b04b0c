"""Header cards written without a FITS library, for the combine: its process has to stay small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["card", "header_block", "keyword_of", "split"]

BLOCK = 2880
CARD = 80


def card(keyword: str, value: object, comment: str = "") -> str:
    """Write one card of 80 characters.

    Parameters
    ----------
    keyword
        Without the word HIERARCH; it is written where the keyword has more than 8 characters or a blank.
    value
        Text, number or truth value. Text that does not fit is cut.
    comment
        Cut to what fits.
    """
    long = len(keyword) > 8 or " " in keyword
    start = f"HIERARCH {keyword} = " if long else f"{keyword:8}= "
    written = _value(value, CARD - len(start), pad=not long)
    line = start + written
    if comment and len(line) + 3 < CARD:
        line = f"{line} / {comment}"
    return _ascii(line)[:CARD].ljust(CARD)


def _value(value: object, room: int, *, pad: bool) -> str:
    if isinstance(value, bool):
        text = "T" if value else "F"
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, float):
        text = repr(value).upper()
    else:
        quoted = _ascii(str(value)).replace("'", "''")
        quoted = quoted[: room - 2].removesuffix("'") if len(quoted) > room - 2 else quoted
        return f"'{quoted:8}'"
    return text.rjust(20) if pad else text


def _ascii(text: str) -> str:
    """Headers are untrusted text: what FITS does not allow in a card becomes a question mark."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def split(text: str) -> Iterator[str]:
    """Give the cards of a header's text, without END."""
    for start in range(0, len(text), CARD):
        line = text[start : start + CARD]
        if line.startswith("END     "):
            return
        yield line.ljust(CARD)


def keyword_of(line: str) -> str:
    """Return a card's keyword, without the word HIERARCH."""
    if line.startswith("HIERARCH") and "=" in line:
        return " ".join(line[9:].split("=", 1)[0].split())
    return line[:8].rstrip()


def header_block(cards: Iterable[str]) -> bytes:
    """Join cards to a header, END and padding included."""
    text = "".join(_ascii(line)[:CARD].ljust(CARD) for line in cards) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")
