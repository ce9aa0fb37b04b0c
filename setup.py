"""What pyproject.toml cannot say: kernels know their sources, any Python takes them, notebooks go along."""

from __future__ import annotations

import shutil
from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
KERNELS = ROOT / "muse_nb" / "kernels"


class BuildKernels(build_ext):
    """Compiles a digest of the C sources in, and always compiles: an older object would keep an older digest."""

    def finalize_options(self) -> None:
        """Set what pyproject.toml leaves open."""
        super().finalize_options()
        self.force = True
        digest = run_path(str(KERNELS / "sources.py"))["digest"](KERNELS)
        for extension in self.extensions:
            extension.define_macros.append(("MUSE_NB_SOURCES", digest))

    def get_ext_filename(self, fullname: str) -> str:
        """Name the kernels for no Python in particular: ctypes loads them in any."""
        return f"{Path(*fullname.split('.'))}.so"

    def run(self) -> None:
        """Build; in a clone take away what was built under a name for one Python."""
        super().run()
        if self.inplace:
            for former in KERNELS.glob("_core.*.so"):
                former.unlink()


class WheelForAnyPython(bdist_wheel):
    """One wheel a platform for every Python 3: the kernels are a library that knows nothing of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return what the wheel's name says it is for."""
        return "py3", "none", super().get_tag()[2]


class BuildPackage(build_py):
    """Takes the notebooks along, which stay at the top level of the repository."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "muse_nb" / "notebooks"
        target.mkdir(parents=True, exist_ok=True)
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
            shutil.copyfile(notebook, target / notebook.name)


setup(cmdclass={"bdist_wheel": WheelForAnyPython, "build_ext": BuildKernels, "build_py": BuildPackage})
