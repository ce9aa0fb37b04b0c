"""Code on a page can be read on light paper and on dark: every colour stands out from the paper behind it."""

from __future__ import annotations

import re

import pytest

from muse_nb.sharing.colours import code_style, coloured
from muse_nb.sharing.page import static

LEAST = 4.5  # ratio of luminances that WCAG 2.1 asks of text


def luminance(colour: str) -> float:
    """Relative luminance of a colour like #1e2228, as WCAG defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_of_code_stand_out_from_the_paper(scheme: str) -> None:
    papers = dict(zip(("light", "dark"), re.findall(r"--shade: (#\w{6})", static("page.css")), strict=True))
    styles = dict(zip(("light", "dark"), code_style().split("@media"), strict=True))
    used = set(
        re.findall(r'<span class="(\w+)"', coloured("import a as b  # c\nfor x in [1, 2.0]: print(f'{x}', not x)"))
    )
    assert len(used) > 5
    rules = dict(re.findall(r"\.code \.(\w+) \{[^}]*?(?<![-\w])color: (#\w{6})", styles[scheme], re.I))
    for name in (used & set(rules)) - {"w"}:  # w is the space between words
        assert contrast(rules[name], papers[scheme]) > LEAST, f"{name} in {rules[name]}"
