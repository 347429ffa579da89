"""What the tables run, on the configs that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS

from gap_mmaction.experiments.data_sets import DATA_SETS
from gap_mmaction.experiments.paper_tables import (
    ABLATIONS,
    COMPARISONS,
    ablation_table,
    comparison_table,
)
from gap_mmaction.experiments.table_configs import TableConfigs
from gap_mmaction.experiments.tables import RunSpec
from gap_mmaction.experiments.variants import BACKBONES, Variant, backbone_changes
from gap_mmaction.models.text.presets import PRESETS

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "gap"
# A network of an eighth of the width.
TINY = {"model.backbone.base_channels": 8, "model.cls_head.in_channels": 32}


def table_configs(**settings: Any) -> TableConfigs:
    return TableConfigs(CONFIGS, may_lack_data=True, **settings)


def model_of(name: str) -> Any:
    return table_configs().base(name).model


# The sum of all numbers of a table of the paper.
SUMS = {
    **{"1a": 425.9, "1b": 510.7, "1c": 340.7, "1d": 675.2, "1e": 340.2, "1f": 340.6},
    **{"lambda": 341.4, "2": 567.7, "3": 1114.3, "4": 1042.2},
}


@pytest.mark.parametrize("name", [*ABLATIONS, *COMPARISONS])
def test_tables_of_the_paper(name: str) -> None:
    if name in ABLATIONS:
        table = ablation_table(name, "nwucla", model_of("nwucla"))
        variants = [measure.variant for measure in table.measures]
        assert len(set(variants)) == len(variants)
        assert all(v.text in PRESETS for v in variants if v.has_texts)
        assert None not in [measure.paper for measure in table.measures]
    else:
        sets = [names[0] for names in COMPARISONS[name][1]]
        table = comparison_table(name, sets)
        assert table.data_sets == sets
        # Four streams with GAP and without, and what the paper has of them.
        assert len(table.runs(range(5))) == 8 * 5 * len(sets)
        known = [m.paper for m in table.measures if m.paper is not None]
        assert len(known) == 6 * len(sets)
    assert sum(m.paper or 0 for m in table.measures) == pytest.approx(SUMS[name])
    for row in table.rows:
        assert len(row.words) == len(table.word_columns)
        assert len(row.cells) == len(table.columns)


def test_one_column_of_two() -> None:
    table = comparison_table("4", ["ntu120-xset"])
    assert table.columns == ("X-Sub (%)", "X-Set (%)")
    assert table.data_sets == ["ntu120-xset"]
    assert all(row.cells[0] == () and len(row.cells[1]) >= 1 for row in table.rows)
    with pytest.raises(ValueError, match="one column of Table 2"):
        comparison_table("2", ["nwucla", "nwucla-cpu"])


def test_runs_are_shared() -> None:
    model = model_of("nwucla")
    tables = {n: ablation_table(n, "nwucla", model).runs([0]) for n in ABLATIONS}
    spec = tables["1a"][1]
    assert spec.variant == Variant("ctrgcn-single", "synonym")
    # The config's own encoder is Table 1c's first.
    assert tables["1c"][0] == spec == tables["1b"][2]
    assert tables["1f"][0] in tables["1b"]
    assert tables["1e"][3] == tables["1f"][3] == tables["1b"][5]
    assert comparison_table("2", ["nwucla"]).runs([0])[0] in tables["1d"]
    # With features that were computed beforehand an encoder is another thing.
    table = ablation_table("1c", "nwucla-cpu", model_of("nwucla-cpu"))
    assert table.measures[0].variant.encoder == "clip-b32"


def test_names_of_configs() -> None:
    configs = table_configs()
    assert all("model" in configs.base(name) for name in DATA_SETS)
    path = Path(configs.base("nwucla", "bone-motion").filename)
    assert path.name == "ctrgcn_nwucla_bone-motion.py"


@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbones_of_table_1d(backbone: str) -> None:
    spec = RunSpec("nwucla-cpu", "joint", Variant(backbone), 0)
    config = table_configs(options=TINY).make(spec)
    model = MODELS.build(config.settings.model)
    kind = {"stgcn": "STGCN", "ctr-baseline": "CTRBaseline"}.get(backbone, "CTRGCN")
    assert type(model.backbone).__name__ == kind
    if kind == "CTRGCN":
        assert model.backbone.temporal == {"ctrgcn": "multi"}.get(backbone, "single")
        assert model.backbone.variant == "authors"
    features = model.backbone(torch.rand(2, 1, 8, 20, 3))
    assert features.shape == (2, 1, 32, 2, 20)
    model.text_branch.init_weights()
    losses = model.text_branch(features, torch.tensor([0, 1]))
    assert torch.isfinite(losses["loss_con"])


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [("stgcn", "AAGCN", "'AAGCN'"), ("gcn", "CTRGCN", "'gcn' is none of")],
)
def test_other_backbones(name: str, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backbone_changes(name, {"type": kind})


@pytest.mark.parametrize(("name", "weight"), [("nwucla", 1.0), ("ntu120-xsub", 0.8)])
def test_both_forms_of_the_loss(name: str, weight: float) -> None:
    table = ablation_table("1d", name, model_of(name)).with_losses(["paper", "public"])
    # The plain networks once, those with texts twice.
    assert [len(cell) for row in table.rows for cell in row.cells] == 4 * [1, 2]
    specs = [spec for spec in table.runs([0]) if spec.variant.loss == "public"]
    assert len(specs) == 4
    config = table_configs().make(specs[-1]).settings.model.text_branch.loss
    assert config == {
        **{"temperature": 0.1, "target": "softmax", "learnable": True},
        **{"loss_weight": weight},
    }


def test_models_without_texts() -> None:
    # What is about texts is left out where there are none.
    temperature = "model.text_branch.loss.temperature"
    configs = table_configs(options={**TINY, temperature: 0.2})

    def make(text: str) -> Any:
        variant = Variant("ctrgcn-single", text)
        spec = RunSpec("nwucla-cpu", "joint", variant, 0)
        return configs.make(spec).settings.model

    assert make("plain").text_branch is None
    classifier = MODELS.build(make("part-classifier"))
    assert type(classifier.text_branch).__name__ == "PartClassifier"
    manual = make("manual").text_branch
    assert manual.prompts.preset == "manual"
    assert manual.loss.temperature == 0.2
    assert manual.features.endswith("nwucla_minilm.safetensors")


@pytest.mark.parametrize("name", ["nwucla", "nwucla-cpu"])
def test_encoders(name: str) -> None:
    kinds = {"clip-l14": "OpenCLIPTextEncoder", "bert": "HFTextEncoder"}
    for encoder, kind in {**kinds, "learned-fixed": "PromptLearner"}.items():
        variant = Variant("ctrgcn-single", "label", encoder)
        config = table_configs().make(RunSpec(name, "joint", variant, 0))
        branch = config.settings.model.text_branch
        assert (branch.encoder.type, branch.features) == (kind, None)
    inner = branch.encoder.encoder
    assert (inner.model, inner.pretrained, inner.frozen) == ("ViT-B-32", "openai", True)


def test_config_of_a_run() -> None:
    spec = RunSpec("nwucla", "bone", Variant("ctrgcn"), 0)
    data = Path("some") / "where.pkl"
    config = table_configs(ann_file=data, processes=2).make(spec)
    settings = config.settings
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        dataset = settings[loader].dataset
        dataset = dataset.get("dataset", dataset)
        assert dataset.ann_file == str(data.absolute())
        # Nothing else of the data set has gone.
        assert len(dataset.pipeline) >= 5
    # Two processes share the batch of 64.
    assert settings.train_dataloader.batch_size == 32
    assert settings.model.data_preprocessor.stream == "bone"
    assert settings.train_cfg.max_epochs == 110
    options = {"train_dataloader.batch_size": 16}
    config = table_configs(options=options, ann_file=data, processes=2).make(spec)
    assert config.settings.train_dataloader.batch_size == 16
