"""What a user is meant to read: the one kind of error, warnings of the data, and of names that have changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["MuseError", "MuseWarning", "renamed_keyword"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class MuseError(Exception):
    """The data or the request are at fault; the message is one sentence with the file, the reason and the remedy.

    Commands print it as it is and exit with status 1; anything else that is raised is a bug of ours. A notebook shows
    the sentence, without the lines of code that came to it.

    Examples
    --------
    >>> try:
    ...     muse_nb.survey("nowhere")
    ... except muse_nb.MuseError as error:
    ...     print(error)
    nowhere ...
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it."""
        return [f"{type(self).__name__}: {self}"]


class MuseWarning(UserWarning):
    """Something in the data that the user should know; the result stands.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("error", muse_nb.MuseWarning)  # in a script that must stop at them
    """


def renamed_keyword(
    former: str, name: str, since: str, adapt: Callable[[Any], Any] = lambda value: value
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Have a function take a keyword under its former name, too, with a DeprecationWarning.

    Parameters
    ----------
    former, name
        Of the keyword.
    since
        Version that renamed it.
    adapt
        Makes of a value as it was one as it is; None stays None.
    """

    def take(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if former in kwargs:
                call_of = f"{function.__name__}({former}=)"
                if name in kwargs:
                    raise TypeError(f"{call_of} is the former name of {name}=: give one of the two")
                told = f"{call_of} is called {name}= since muse_nb {since}; the former name goes with 1.0"
                warnings.warn(told, DeprecationWarning, stacklevel=2)
                value = kwargs.pop(former)
                kwargs[name] = None if value is None else adapt(value)
            return function(*args, **kwargs)

        return call

    return take
