"""Protects users from silent typos: a request is held against the recipe's own list, by either backend."""

from __future__ import annotations

import pytest

from muse_nb.core.errors import MuseError
from muse_nb.recipes.errors import RecipeError, reasons
from muse_nb.recipes.parameters import check
from muse_nb.recipes.run import known_parameters

LOG = """\
02:13:29 [ INFO  ] muse_scibasic: [tid=000] loaded "frames/0004/MUSE.fits[CHAN12]"
02:13:29 [ ERROR ] muse_scibasic: [tid=000] Required 1, found 0 frames with tag "MASTER_BIAS" with IFU 12.
[ ERROR ] muse_scibasic: Required 1, found 0 frames with tag "MASTER_BIAS" with IFU 12
02:13:29 [ ERROR ] muse_scibasic: [tid=000] Found 1 error(s)
02:13:29 [ ERROR ] esorex: [tid=000] Execution of recipe 'muse_scibasic' failed, status = -1
"""


def test_the_reason_is_the_first_real_error_line():
    assert reasons(LOG) == 'Required 1, found 0 frames with tag "MASTER_BIAS" with IFU 12'
    assert reasons("nothing to see") == ""


@pytest.mark.eso
def test_a_request_is_checked(backend):
    known = known_parameters("muse_scipost", backend)
    right = {"lambdamin": 5000, "pixfrac": [0.6, 0.7], "filter": "white", "ld": 2, "astrometry": False}
    assert check("muse_scipost", right, known) == right | {"pixfrac": "0.6,0.7"}
    for wrong, words in [
        ({"lambdamn": 5000}, ("lambdamn", "lambdamin")),
        ({"lambdamin": "blue"}, ("lambdamin", "number")),
        ({"ld": 1.5}, ("ld", "whole number")),
        ({"astrometry": "perhaps"}, ("astrometry", "True or False")),
    ]:
        with pytest.raises(RecipeError) as caught:
            check("muse_scipost", wrong, known)
        assert all(word in str(caught.value) for word in words)


@pytest.mark.eso
def test_both_backends_know_the_same_parameters():
    one, other = (known_parameters("muse_exp_combine", name) for name in ("python-cpl", "esorex"))
    assert set(one) == set(other)
    assert {name: type(p.default) for name, p in one.items()} == {name: type(p.default) for name, p in other.items()}


@pytest.mark.eso
def test_choices_are_told():
    known = known_parameters("muse_scipost", "python-cpl")
    with pytest.raises(RecipeError, match=r"choose from .*drizzle"):
        check("muse_scipost", {"resample": "magic"}, known)


@pytest.mark.eso
@pytest.mark.parametrize("name", ["muse_scibasik", "../../bin/sh", "muse_scibasic; ls", ""])
def test_there_is_no_such_recipe(backend, name):
    with pytest.raises(MuseError, match="there is no recipe"):
        known_parameters(name, backend)
