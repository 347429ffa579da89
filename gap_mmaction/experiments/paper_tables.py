"""Tables 1a to 4 of the paper, and its choice of lambda, with the paper's numbers.

The numbers are top-1 accuracies in percent, means of 5 runs, and none of them is ours:
GAP, ICCV 2023, Tables 1 to 4 and, for lambda, section 4.3. Those of CTR-GCN in Tables 2
to 4 are what the paper cites from CTR-GCN's (Chen et al., ICCV 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .annotation_splits import FOLDS
from .tables import DATA_SETS, ENSEMBLE, STREAM_WEIGHTS, Cell, Measure, Row, Table
from .variants import PART_CLASSIFIER, PLAIN, Variant

ABLATION_DATA_SET = "ntu120-xsub"
"""Where all of Table 1 and lambda were measured, on the joint stream."""

_PARTS4 = "synonym+parts4"
_NO_GAP, _GAP = (84.6, PLAIN), (85.5, _PARTS4)
# By table: title, and titles of the columns of words.
_CROSS = f"{FOLDS}-fold cross-validation on the training split"
_WORDS = {
    "1a": ("Partition strategies", "Partition strategy"),
    "1b": ("Text prompt type", "Prompt type"),
    "1c": ("Text encoders", "Text encoder | pretrain"),
    "1e": ("Description methods", "Methods"),
    "1f": ("Comparison with Prompt Learning", "Methods | Prompt | TE"),
    "lambda": (f"Choice of lambda, {_CROSS}", "lambda"),
}
# Rows of words and numbers: the paper's, the text, the encoder, lambda. Which presets
# stand for the rows of 1a, 1c and 1f follows from the paper's numbers, see
# docs/reproduce.md.
_ROWS: dict[str, dict[str, list[tuple[Any, ...]]]] = {
    "1a": {
        "None": [_NO_GAP],
        "Global": [(85.2, "synonym")],
        "Upper, Lower": [(85.3, "parts2")],
        "Head, Hand, Hip, Leg": [(85.4, "parts4")],
        "Head, Hand, Arm, Hip, Leg, Foot": [(85.4, "parts6")],
    },
    "1b": {
        "None": [_NO_GAP],
        "Label name": [(84.8, "label-name")],
        "Synonym/Paragraph": [(85.2, "synonym"), (85.2, "paragraph")],
        "Body parts": [(85.4, "parts4")],
        "Synonym+Body parts": [_GAP],
    },
    "1c": {
        "XFMR-32 | img/text": [(85.2, "synonym", "clip-b32")],
        "XFMR-16 | img/text": [(85.1, "synonym", "clip-b16")],
        "XFMR-14 | img/text": [(85.2, "synonym", "clip-l14")],
        "BERT | text": [(85.2, "synonym", "bert")],
    },
    "1e": {
        "Part CLS Baseline": [(84.2, PART_CLASSIFIER)],
        "Manual description": [(85.2, "manual")],
        "HAKE part state": [(85.3, "hake")],
        "LLM generated": [_GAP],
    },
    "1f": {
        "Baseline | Fixed | Tuned": [(84.8, "label-name", "clip-b32")],
        "PL | Learned | Fixed": [(85.1, "label", "learned-fixed")],
        "PL | Learned | Tuned": [(85.2, "label", "learned-tuned")],
        "GAP | Generated | Tuned": [(*_GAP, "clip-b32")],
    },
    "lambda": {
        f"{weight}": [(paper, _PARTS4, None, weight)]
        for weight, paper in {1.0: 85.4, 0.8: 85.5, 0.5: 85.3, 0.2: 85.2}.items()
    },
}
# Table 1d: title, the paper's number without GAP and with it.
_BACKBONES = {
    "stgcn": ("ST-GCN", 82.6, 83.8),
    "ctr-baseline": ("CTR-baseline", 83.7, 84.6),
    "ctrgcn-single": ("CTR-GCN (single scale)", 84.6, 85.5),
    "ctrgcn": ("CTR-GCN (multi scale)", 84.9, 85.5),
}

ABLATIONS = tuple(sorted([*_ROWS, "1d"]))
"""Names of the tables of :func:`ablation_table`."""

COMPARISONS = {
    "2": ("NW-UCLA", (("nwucla", "nwucla-cpu"),)),
    "3": ("NTU RGB+D", (("ntu60-xsub",), ("ntu60-xview",))),
    "4": ("NTU RGB+D 120", (("ntu120-xsub",), ("ntu120-xset",))),
}
"""Title, and for each column the data sets that may fill it, the paper's first."""

# Tables 2 to 4: joint, joint motion, bone, bone motion and the ensemble of GAP; the
# ensemble of CTR-GCN.
_STREAMS = {
    "nwucla": (94.0, 93.5, 95.3, 91.2, 97.2, 96.5),
    "ntu60-xsub": (90.2, 88.0, 91.2, 87.8, 92.9, 92.4),
    "ntu60-xview": (95.6, 93.7, 95.5, 93.2, 97.0, 96.8),
    "ntu120-xsub": (85.5, 82.3, 87.5, 82.4, 89.9, 88.9),
    "ntu120-xset": (87.0, 83.9, 88.7, 84.4, 91.1, 90.6),
}
_MODES = {
    "Joint/Joint-M": ("joint", "joint-motion"),
    "Bone/Bone-M": ("bone", "bone-motion"),
    "4 ensemble": tuple(STREAM_WEIGHTS),
}


def ablation_table(name: str, data_set: str, model: Mapping[str, Any]) -> Table:
    """Lays one of :data:`ABLATIONS` out for a data set, with its config's model."""

    def cell(backbone: str, *numbers: tuple[Any, ...]) -> Cell:
        return tuple(
            Measure(
                data_set,
                Variant(backbone, *texts).without_repetition(model),
                paper=paper,
                folds=tuple(range(FOLDS)) if name == "lambda" else (),
            )
            for paper, *texts in numbers
        )

    if name == "1d":
        rows = [
            Row((row,), (cell(key, (plain, PLAIN)), cell(key, (gap,))))
            for key, (row, plain, gap) in _BACKBONES.items()
        ]
        title = "Effect of GAP on different skeleton encoders"
        heads = ("w/o. GAP (%)", "w. GAP (%)")
        return Table(name, title, ("Backbone",), heads, tuple(rows))
    # "We use CTR-GCN with single-scale temporal convolution for our ablation study",
    # section 4.2.
    title, words = _WORDS[name]
    rows = [
        Row(tuple(row.split(" | ")), (cell("ctrgcn-single", *numbers),))
        for row, numbers in _ROWS[name].items()
    ]
    return Table(name, title, tuple(words.split(" | ")), ("Acc (%)",), tuple(rows))


def comparison_table(name: str, data_sets: Sequence[str]) -> Table:
    """Lays one of :data:`COMPARISONS` out: four streams, without GAP and with it.

    A column without a data set stays empty; one with two, or a data set of another
    table, is a ValueError.
    """
    title, columns = COMPARISONS[name]
    known = [data_set for names in columns for data_set in names]
    for item in set(data_sets) - set(known):
        raise ValueError(f"--data {item}: Table {name} is about {', '.join(known)}")
    chosen = []
    for names in columns:
        asked = [data_set for data_set in names if data_set in data_sets]
        if len(asked) > 1:
            both = " ".join(asked)
            raise ValueError(f"--data {both}: one column of Table {name}; give one")
        chosen.append("".join(asked))
    # Multi-scale temporal convolution, section 4.2.
    plain, gap = Variant("ctrgcn", PLAIN), Variant("ctrgcn")
    rows = (
        Row((method, mode), tuple(_streams(item, variant, mode) for item in chosen))
        for method, variant in (("CTR-GCN", plain), ("CTR-GCN with GAP", gap))
        for mode in _MODES
    )
    heads = (DATA_SETS[names[0]].title.rpartition(", ")[2] for names in columns)
    return Table(
        name,
        f"Action classification performance on {title}",
        ("Methods", "Mode"),
        tuple(f"{head} (%)" for head in heads),
        tuple(rows),
        (f"{ENSEMBLE} The paper's numbers of CTR-GCN are those it cites.",),
    )


def _streams(data_set: str, variant: Variant, mode: str) -> Cell:
    if not data_set:
        return ()
    *single, gap, plain = _STREAMS[DATA_SETS[data_set].paper]
    streams = _MODES[mode]
    if len(streams) > 2:
        paper = gap if variant.has_texts else plain
        return (Measure(data_set, variant, streams, paper),)
    known = dict(zip(("joint", "joint-motion", "bone", "bone-motion"), single))
    return tuple(
        Measure(data_set, variant, (item,), known[item] if variant.has_texts else None)
        for item in streams
    )
