"""Tables 2 to 4: four streams and their ensemble, without GAP and with it."""

from __future__ import annotations

from collections.abc import Sequence

from . import paper_values
from .benchmark import BENCHMARKS
from .measure import STREAM_WEIGHTS, Measure
from .table import Cell, Row, Table
from .variant import PLAIN, Variant

COMPARISONS = {
    "2": ("NW-UCLA", (("nwucla", "nwucla-cpu"),)),
    "3": ("NTU RGB+D", (("ntu60-xsub",), ("ntu60-xview",))),
    "4": ("NTU RGB+D 120", (("ntu120-xsub",), ("ntu120-xset",))),
}
"""Title, and for each column the benchmarks that may fill it, the paper's first."""

# Tables 2 to 4 have CTR-GCN with multi-scale temporal convolution (GAP, section 4.2).
_BACKBONE = "ctrgcn"
_MODES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Joint/Joint-M", ("joint", "joint-motion")),
    ("Bone/Bone-M", ("bone", "bone-motion")),
    ("4 ensemble", ()),
)


def comparison_table(name: str, benchmarks: Sequence[str]) -> Table:
    """Lay one of Tables 2 to 4 out.

    Args:
        name: ``2``, ``3`` or ``4``.
        benchmarks: Names of the benchmarks that are run, one for a column at the most;
            a column without one stays empty.

    Returns:
        The table.

    Raises:
        ValueError: If a benchmark is none of the table's, or a column has two.
    """
    title, columns = COMPARISONS[name]
    known = [benchmark for names in columns for benchmark in names]
    for benchmark in benchmarks:
        if benchmark not in known:
            raise ValueError(
                f"--data {benchmark}: Table {name} is about {', '.join(known)}"
            )
    chosen = []
    for names in columns:
        asked = [benchmark for benchmark in names if benchmark in benchmarks]
        if len(asked) > 1:
            raise ValueError(
                f"--data {' '.join(asked)}: one column of Table {name}; give one"
            )
        chosen.append(asked[0] if asked else None)
    rows = []
    for variant, method in (
        (Variant(_BACKBONE, PLAIN), "CTR-GCN"),
        (Variant(_BACKBONE), "CTR-GCN with GAP"),
    ):
        for mode, streams in _MODES:
            cells = tuple(_cell(benchmark, variant, streams) for benchmark in chosen)
            rows.append(Row((method, mode), cells))
    heads = tuple(
        f"{BENCHMARKS[names[0]].split} (%)" if len(columns) > 1 else f"{title} (%)"
        for names in columns
    )
    return Table(
        name,
        f"Action classification performance on {title}",
        ("Methods", "Mode"),
        heads,
        tuple(rows),
        (
            "4 ensemble: scores of the streams of one seed, fused with the weights "
            + ", ".join(f"{weight:g} {name}" for name, weight in STREAM_WEIGHTS.items())
            + ". The paper's numbers of CTR-GCN are those it cites.",
        ),
    )


def _cell(benchmark: str | None, variant: Variant, streams: tuple[str, ...]) -> Cell:
    if benchmark is None:
        return ()
    paper = paper_values.STREAMS[BENCHMARKS[benchmark].paper]
    prefix = "" if variant.has_texts else "ctrgcn "
    if not streams:
        value = paper.get(f"{prefix}ensemble")
        return (Measure(benchmark, variant, tuple(STREAM_WEIGHTS), value),)
    return tuple(
        Measure(benchmark, variant, (stream,), paper.get(f"{prefix}{stream}"))
        for stream in streams
    )
