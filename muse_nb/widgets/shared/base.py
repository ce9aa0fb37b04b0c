"""What all viewers share: the browser's module, messages, errors as text, and a static picture for exports."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

import anywidget
import traitlets

from muse_nb.core.errors import MuseError
from muse_nb.widgets.shared.bundle import style
from muse_nb.widgets.shared.front_end import MimeBundle, fit_to_front_end, split_view_and_still

__all__ = ["COLOUR_MAPS", "Viewer", "colour_map", "guarded"]

COLOUR_MAPS = ("cividis", "viridis", "inferno", "gray")
Method = TypeVar("Method", bound=Callable[..., Any])


def guarded(method: Method) -> Method:
    """Show an error of a callback in the widget: the kernel's log is where nobody looks."""

    @wraps(method)
    def run(self: Viewer, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except MuseError as error:
            self.error = str(error)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.error = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno} of {where.filename})"
        return None

    return run  # type: ignore[return-value]


@cache
def colour_map(name: str) -> bytes:
    """256 RGB triples of one of matplotlib's colour maps."""
    import matplotlib
    import numpy as np

    return bytes(matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3])


class Viewer(anywidget.AnyWidget):
    """A canvas that looks at files: errors are shown in it, and exports show a picture of it."""

    _esm = "export default { render() {} }"
    _css = style()
    _stands_in = "image/png"  # what is shown of it without it

    error = traitlets.Unicode("", help="What went wrong last; empty when nothing did.").tag(sync=True)
    colour_maps = traitlets.Dict(help="Colour maps by name, 256 RGB triples each.").tag(sync=True)
    height = traitlets.Int(560, help="Height of the picture in CSS pixels.").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        unknown = set(traits) - set(self.trait_names())
        if unknown:
            raise TypeError(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}")
        super().__init__(colour_maps={name: colour_map(name) for name in COLOUR_MAPS}, **traits)
        self.on_msg(self._received)

    @guarded
    def _received(self, _: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        """Messages ``{"type": name, ...}`` go to the method ``_on_name``."""
        answer = getattr(self, f"_on_{content.get('type', '')}", None)
        if answer is None:
            raise MuseError(f"the browser sent a message of unknown type {content.get('type')!r}: reload the page")
        answer(content)

    def picture(self) -> bytes:
        """PNG of the present view, as exports show it."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[MimeBundle, MimeBundle] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        try:
            data["image/png"] = base64.b64encode(self.picture()).decode("ascii")
        except Exception as error:  # a picture that fails must not cost the live viewer
            self.error = f"no static picture: {error}"
        return fit_to_front_end(data), metadata

    def _ipython_display_(self, **kwargs: Any) -> None:
        """Show view and picture as two outputs where that is better; IPython goes on as usual where it is not."""
        from IPython.display import publish_display_data

        bundle = self._repr_mimebundle_(**kwargs)
        outputs = split_view_and_still(bundle[0], self._stands_in) if bundle is not None else []
        if not outputs:
            raise NotImplementedError
        for data, metadata in outputs:
            publish_display_data(data, metadata)
