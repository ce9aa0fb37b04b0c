"""What pyproject.toml cannot say: the kernels are told which sources they are compiled from."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.build_ext import build_ext

KERNELS = Path(__file__).parent / "muse_nb" / "kernels"


class Build(build_ext):
    """Compiles a digest of the C sources in, and always compiles: an older object would keep an older digest."""

    def finalize_options(self) -> None:
        """Set what pyproject.toml leaves open."""
        super().finalize_options()
        self.force = True
        digest = run_path(str(KERNELS / "sources.py"))["digest"](KERNELS)
        for extension in self.extensions:
            extension.define_macros.append(("MUSE_NB_SOURCES", digest))


setup(cmdclass={"build_ext": Build})
