"""The one kind of error that a user is meant to read."""

from __future__ import annotations

__all__ = ["MuseError", "MuseWarning"]


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
