"""Build of gap-mmaction.

Beside the package, a wheel carries what OpenMMLab's tools look for under
``gap_mmaction/.mim``: configs, tools, texts and weights that ship. An editable install
links them there instead, so that both find them in the same place.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = "gap_mmaction"
MIM = (
    "configs",
    "tools",
    "data/descriptions",
    "data/text_features",
    "data/weights",
    "model-index.yml",
)


def read_requirements(name: str) -> list[str]:
    """Reads ``requirements/<name>.txt``, without comments and empty lines."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] != "#"]


class BuildPyWithMim(build_py):
    """Puts ``.mim`` beside the modules: copies for a wheel, links in place."""

    def run(self) -> None:
        """Builds the modules, then ``.mim``."""
        super().run()
        if self.editable_mode:
            self._link(ROOT / PACKAGE / ".mim")
        else:
            self._copy(Path(self.build_lib) / PACKAGE / ".mim")

    def _copy(self, target: Path) -> None:
        # build_lib may be left from an earlier build, with files since removed.
        shutil.rmtree(target, ignore_errors=True)
        ignore = shutil.ignore_patterns("__pycache__", "*.py[cod]")
        for name in MIM:
            source, copy = ROOT / name, target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=ignore)
            else:
                shutil.copy2(source, copy)

    def _link(self, target: Path) -> None:
        for name in MIM:
            link = target / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            # Relative, so that the working tree can be moved.
            up = Path(*[".."] * (len(link.relative_to(ROOT).parts) - 1))
            try:
                link.symlink_to(up / name)
            except OSError as error:
                # Windows may refuse links; only `mim` needs them, the project
                # itself finds its files in the working tree.
                self.warn(f"{link} is not made: {error}")


def read_long_description() -> str:
    """Returns the README, which the index shows on the project's page."""
    readme = ROOT / "README.md"
    return readme.read_text("utf-8") if readme.exists() else ""


extras = {
    "lite": read_requirements("mminstall"),
    "optional": read_requirements("optional"),
    "tests": read_requirements("tests"),
    "docs": read_requirements("docs"),
}
extras["all"] = [line for lines in extras.values() for line in lines]

if __name__ == "__main__":
    setup(
        name="gap-mmaction",
        version=runpy.run_path(str(ROOT / PACKAGE / "version.py"))["__version__"],
        description="GAP, generative action description prompts, for MMAction2",
        long_description=read_long_description(),
        long_description_content_type="text/markdown",
        author="The gap_mmaction authors",
        license="Apache-2.0",
        license_files=["LICENSE"],
        keywords="skeleton action recognition, CTR-GCN, MMAction2, language",
        classifiers=[
            "Programming Language :: Python :: 3",
            "Topic :: Scientific/Engineering :: Artificial Intelligence",
        ],
        python_requires=">=3.9",
        packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
        install_requires=read_requirements("runtime"),
        extras_require=extras,
        cmdclass={"build_py": BuildPyWithMim},
        zip_safe=False,
    )
