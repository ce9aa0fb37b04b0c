"""The house keeps its rules, and each rule is red where it is broken."""

from __future__ import annotations

import pytest
from rules import RULES
from tree import Tree, house

TOML = '[project]\ndependencies = ["numpy>=2"]\noptional-dependencies = {test = ["pytest"]}\n'
LONG = "def work():\n" + "    x = 1\n" * 60
SLICES = "(9, 8, 1, 10, 7, 2" + ", 3" * 42 + ")"

BROKEN: dict[str, list[Tree]] = {
    "circles": [
        {"muse_nb/core/a.py": "from muse_nb.core.b import f", "muse_nb/core/b.py": "import muse_nb.core.a"},
        {
            "muse_nb/core/a.py": "def f():\n    from muse_nb.core import b",
            "muse_nb/core/b.py": "if TYPE_CHECKING:\n    from muse_nb.core.c import C",
            "muse_nb/core/c.py": "import_module('muse_nb.core.a')",
        },
        {"muse_nb/core/a.py": "from . import b"},
        {"muse_nb/core/a.py": "from muse_nb import combine"},
    ],
    "wings": [
        {"muse_nb/steps/combine/a.py": "from muse_nb.steps.nans.b import f", "muse_nb/steps/nans/b.py": ""},
        {"muse_nb/steps/drawing.py": "from muse_nb.steps.nans.b import f", "muse_nb/steps/nans/b.py": ""},
    ],
    "figures": [
        {
            "muse_nb/steps/nans/figures.py": "if TYPE_CHECKING:\n    from muse_nb.steps.nans.layout import L",
            "muse_nb/steps/nans/layout.py": "from muse_nb.steps.nans.result import R",
            "muse_nb/steps/nans/result.py": "",
        },
        {"muse_nb/steps/nans/story.py": "def f():\n    import matplotlib.pyplot as plt"},
        {"muse_nb/steps/nans/story.py": "from matplotlib import pyplot"},
        {"muse_nb/steps/nans/story.py": "def f(ax):\n    ax.imshow(1)"},
    ],
    "rooms": [
        {"muse_nb/products/a.py": "from muse_nb.steps.nans.b import f", "muse_nb/steps/nans/b.py": ""},
        {"muse_nb/core/a.py": "from muse_nb.products import b", "muse_nb/products/b.py": ""},
        {"muse_nb/sharing/a.py": "from muse_nb.recipes.b import f", "muse_nb/recipes/b.py": ""},
        {"muse_nb/steps/a.py": "import muse_nb.cli.b", "muse_nb/cli/b.py": ""},
        {"muse_nb/cellar/a.py": ""},
    ],
    "folders": [
        {f"muse_nb/steps/nans/{letter}.py": "" for letter in "abcdefghijklmnop"},
        {f"muse_nb/steps/{name}.py": "" for name in ("nan_audit", "nan_heal", "nan")},
    ],
    "declared": [
        {"pyproject.toml": TOML, "muse_nb/core/a.py": "import numpy, pandas.io"},
        {"pyproject.toml": TOML, "muse_nb/core/a.py": "def f():\n    from pytest import raises"},
        {"pyproject.toml": TOML, "tests/core/test_a.py": "import pandas"},
    ],
    "one_home": [
        {"muse_nb/core/a.py": "x = f'ESO PRO REC{n} ID'", "muse_nb/core/b.py": "y = 'PRO REC1'"},
        {"muse_nb/core/a.py": "x = 1.4826", "muse_nb/core/b.py": "y = f(x) / 0.67449"},
        {"muse_nb/core/a.py": f"x = {SLICES}", "muse_nb/core/b.py": f"y = np.array({SLICES})"},
        {"muse_nb/steps/nans/a.py": "x = f'<table>{y}</table>'"},
    ],
    "scripts": [
        {"muse_nb/widgets/static/nans.js": "", "muse_nb/widgets/nans.py": ""},
        {
            "muse_nb/widgets/nans/viewer.py": "class V:\n    _esm = module('nans/other')",
            "muse_nb/widgets/nans/other.js": "",
        },
        {"muse_nb/widgets/nans/viewer.py": "class V:\n    _esm = module('nans/viewer')"},
    ],
    "sizes": [
        {"muse_nb/core/a.py": LONG},
        {"muse_nb/core/a.py": "def f(a, b, c, d, e, f, g, *, h, i, j, k, l, **m):\n    pass"},
        {"muse_nb/core/a.py": "x = 1\n" * 401, "muse_nb/core/b.py": "", "muse_nb/core/c.py": ""},
        {"muse_nb/core/a.py": "x = 1\n" * 200},
    ],
}
KEPT: dict[str, list[Tree]] = {
    "circles": [{"muse_nb/core/a.py": "from muse_nb import __version__, core", "muse_nb/core/__init__.py": ""}],
    "wings": [{"muse_nb/steps/nans/a.py": "import muse_nb.steps.combine.b", "muse_nb/steps/combine/b.py": ""}],
    "figures": [
        {"muse_nb/steps/nans/result.py": "if TYPE_CHECKING:\n    from matplotlib.axes import Axes"},
        {"muse_nb/steps/nans/figures.py": "import matplotlib.pyplot as plt"},
    ],
    "rooms": [{"muse_nb/cli/a.py": "import muse_nb.demo.b", "muse_nb/demo/b.py": ""}],
    "folders": [{f"muse_nb/simulator/{letter}.py": "" for letter in "abcdefghijklmnop"}],
    "declared": [
        {"pyproject.toml": TOML, "muse_nb/core/a.py": "import ast, numpy", "tests/test_a.py": "import pytest"}
    ],
    "one_home": [
        {"muse_nb/core/a.py": "x = 1.4826", "muse_nb/core/b.py": "'''By the PRO REC of its <table>.'''"},
        {"muse_nb/core/html.py": "x = '<table>'"},
    ],
    "scripts": [
        {
            "muse_nb/widgets/nans/viewer.py": "class V:\n    _esm = module('nans/viewer')",
            "muse_nb/widgets/nans/viewer.js": "",
        }
    ],
    "sizes": [{"muse_nb/core/a.py": LONG.replace("work():", "work():\n    '''Do it.'''\n\n    # why", 1)[:-10]}],
}


def cases(trees: dict[str, list[Tree]]) -> list[object]:
    return [pytest.param(name, tree, id=f"{name}-{n}") for name in trees for n, tree in enumerate(trees[name])]


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps_the_rule(name: str) -> None:
    assert RULES[name](house()) == []


@pytest.mark.parametrize(("name", "tree"), cases(BROKEN))
def test_a_rule_is_red_where_it_is_broken(name: str, tree: Tree) -> None:
    assert len(RULES[name](tree)) == 1


@pytest.mark.parametrize(("name", "tree"), cases(KEPT))
def test_a_rule_is_green_where_it_is_kept(name: str, tree: Tree) -> None:
    assert RULES[name](tree) == []


def test_every_rule_is_tried_both_ways() -> None:
    assert set(BROKEN) == set(KEPT) == set(RULES)
