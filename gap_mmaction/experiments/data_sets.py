"""The data sets of the tables (``--data``), and the configs that train on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSet:
    """A data set with its split, and the configs for it.

    Attributes:
        name: What ``tools/reproduce.py --data`` calls it.
        title: What tables call it: the data set and, after a comma, the split.
        config: Name of the joint stream's config; others have the stream appended.
        recipe_of: For a second recipe the data set's name in the paper's tables.
        folds: Its official folds, of which each tests once; none for a single split.
    """

    name: str
    title: str
    config: str
    recipe_of: str | None = None
    folds: tuple[int, ...] = ()

    @property
    def paper(self) -> str:
        """The name under which the paper's numbers are."""
        return self.recipe_of or self.name


def _small(name: str, title: str, folds: int = 0) -> DataSet:
    numbers = tuple(range(1, folds + 1))
    return DataSet(f"{name}-cpu", title, f"ctrgcn_{name}_cpu", folds=numbers)


_CPU = "NW-UCLA, recipe for a CPU"
DATA_SETS = {
    item.name: item
    for item in (
        DataSet("nwucla", "NW-UCLA", "ctrgcn_nwucla"),
        DataSet("nwucla-cpu", _CPU, "ctrgcn_nwucla_cpu", recipe_of="nwucla"),
        DataSet("ntu60-xsub", "NTU RGB+D, X-Sub", "ctrgcn_ntu60"),
        DataSet("ntu60-xview", "NTU RGB+D, X-View", "ctrgcn_ntu60-xview"),
        DataSet("ntu120-xsub", "NTU RGB+D 120, X-Sub", "ctrgcn_ntu120"),
        DataSet("ntu120-xset", "NTU RGB+D 120, X-Set", "ctrgcn_ntu120-xset"),
        _small("utd_mhad", "UTD-MHAD"),
        _small("msr_action3d", "MSR-Action3D"),
        _small("utkinect", "UTKinect-Action3D", folds=5),
        _small("sbu_kinect", "SBU Kinect Interaction", folds=5),
        _small("jhmdb14", "JHMDB, 14 classes", folds=3),
    )
}
"""By name."""
