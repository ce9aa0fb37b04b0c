"""The steps, to type: ``muse-nb COMMAND``, one module a command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from muse_nb import __version__
from muse_nb.cli.common import print_error
from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseError

__all__ = ["load", "main"]

# folder -> name -> one line for the overview; the module muse_nb.cli.FOLDER.NAME has add_arguments and run(args)
COMMANDS = {
    "night": {
        "fetch": "a night and its calibrations from ESO's archive",
        "survey": "what is in a folder of MUSE files; write or verify its manifest",
        "doctor": "what the recipes would get wrong in a folder without a word",
        "simulate": "a small MUSE night with known truth",
        "calibrate": "raw calibrations to masters by ESO's recipes, or the plan of what makes what",
        "masters": "are the master calibrations good, and what moved since another night",
        "reduce": "raw frames to pixel tables, cubes and images, by ESO's recipes",
    },
    "exposures": {
        "inspect": "OBJECT_RED frames: good or bad",
        "nans": "where the NaN of a cube come from",
        "offsets": "measure star offsets in IMAGE_FOVs and write an OFFSET_LIST",
        "combine": "pixel tables of several exposures to one cube",
        "cube": "the pixel table of one exposure to a cube",
    },
    "cubes": {
        "spectrum": "the spectrum of a region of a cube",
        "band": "the image of a range of wavelengths of a cube",
        "lines": "maps of a line: flux, velocity and dispersion of every spaxel",
        "stars": "spectra of all stars of a cube at once, by their common profile",
        "source": "a source and its line for GalPaK3D, with PSF, LSF and honest errors",
        "velocities": "radial velocities of the stars whose spectra were extracted",
        "judge": "is this cube good: numbers with limits, and a one-page report",
    },
    "project": {
        "share": "notebooks to HTML files that open anywhere",
        "demo": "simulate, reduce, measure, combine and render the notebooks",
        "new": "the notebooks for a night of one's own, its folders set",
        "lab": "open JupyterLab on the notebooks",
    },
}
OUTPUTS = ("output", "plot")  # what the arguments that name files to be made are called


def load(name: str) -> ModuleType:
    """Import a command by its name.

    Raises
    ------
    KeyError
        There is no such command.
    """
    folder = {name: folder for folder, names in COMMANDS.items() for name in names}[name]
    return import_module(f"muse_nb.cli.{folder}.{name}")


def main(argv: list[str] | None = None) -> int:
    """Run ``muse-nb``; return its exit status: 0 done, 1 the data are at fault, 2 wrong usage, 130 interrupted."""
    arguments = sys.argv[1:] if argv is None else argv
    parser, commands = _overview()
    name = next((word for word in arguments if not word.startswith("-")), None)
    if name in commands:  # import only the command that was asked for
        module = load(name)
        module.add_arguments(commands[name])
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 2
    signal.signal(signal.SIGTERM, _interrupt)  # clean up after a kill as after Ctrl-C
    try:
        _refuse_inputs_as_outputs(args)
        return int(module.run(args) or 0)
    except MuseError as error:
        print_error(args.command, error)
        return 1
    except ImportError as error:
        from muse_nb.kernels import KernelsError

        if not isinstance(error, KernelsError):
            raise
        print_error(args.command, error)
        return 1
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 1
    except KeyboardInterrupt:
        print(f"muse-nb {name}: interrupted", file=sys.stderr)
        return 130


def _refuse_inputs_as_outputs(args: argparse.Namespace) -> None:
    """No --force lets a command replace a file that it is given to read."""
    given = vars(args).copy()
    outputs = [path for name in OUTPUTS if (path := given.pop(name, None)) and Path(path).is_file()]
    words = [word for value in given.values() for word in (value if isinstance(value, list) else [value])]
    for path in outputs:
        refuse_existing(path, force=True, inputs=[word for word in words if isinstance(word, str)])


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _overview() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="muse-nb",
        description="From MUSE OBJECT_RED frames to a cube you trust.",
        epilog="example: muse-nb demo -o demo",
    )
    parser.add_argument("--version", action="version", version=f"muse-nb {__version__}")
    group = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    commands = {
        name: group.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for names in COMMANDS.values()
        for name, text in names.items()
    }
    return parser, commands
