"""What the tables run, on the configs that ship, and how they show results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from gap_mmaction.evaluation.score_file import write_scores
from gap_mmaction.experiments.experiment import plan_text
from gap_mmaction.experiments.few_clips import (
    board_table,
    low_shot_table,
    streams_table,
)
from gap_mmaction.experiments.paper_tables import (
    ABLATIONS,
    COMPARISONS,
    ablation_table,
    comparison_table,
)
from gap_mmaction.experiments.runs import Run, RunConfig, scale_schedule
from gap_mmaction.experiments.table_configs import TableConfigs
from gap_mmaction.experiments.table_text import SCORES, Results, to_csv, to_markdown
from gap_mmaction.experiments.tables import DATA_SETS, Measure, Row, RunSpec, Table
from gap_mmaction.experiments.variants import BACKBONES, Variant
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.utils.config_parts import annotated_data
from tests.config_files import ROOT
from tests.experiments.fake_project import write_annotations

CONFIGS = ROOT / "configs" / "gap"
# A network of an eighth of the width.
TINY = {"model.backbone.base_channels": 8, "model.cls_head.in_channels": 32}
# The sum of all numbers of a table of the paper.
SUMS = {
    **{"1a": 425.9, "1b": 510.7, "1c": 340.7, "1d": 675.2, "1e": 340.2, "1f": 340.6},
    **{"lambda": 341.4, "2": 567.7, "3": 1114.3, "4": 1042.2},
}


def table_configs(**settings: Any) -> TableConfigs:
    return TableConfigs(CONFIGS, may_lack_data=True, **settings)


def model_of(name: str) -> Any:
    return table_configs().base(name).model


def made(name: str, *variant: Any, options: Any = None) -> Any:
    """The model of a run on the joint stream."""
    spec = RunSpec(name, "joint", Variant(*variant), 0)
    return table_configs(options=options or {}).make(spec).settings.model


@pytest.mark.parametrize("name", SUMS)
def test_tables_of_the_paper(name: str) -> None:
    if name in ABLATIONS:
        table = ablation_table(name, "nwucla", model_of("nwucla"))
        variants = [measure.variant for measure in table.measures]
        assert len(set(variants)) == len(variants)
        assert all(v.text in PRESETS for v in variants if v.has_texts)
    else:
        sets = [names[0] for names in COMPARISONS[name][1]]
        table = comparison_table(name, sets)
        # Four streams with GAP and without, and what the paper has of them.
        assert len(table.runs(range(5))) == 8 * 5 * len(sets)
        last = comparison_table(name, sets[-1:])
        assert all(not cell for row in last.rows for cell in row.cells[:-1])
    assert sum(m.paper or 0 for m in table.measures) == pytest.approx(SUMS[name])
    for row in table.rows:
        assert len(row.words) == len(table.word_columns)
        assert len(row.cells) == len(table.columns)


def test_runs_are_shared() -> None:
    model = model_of("nwucla")
    tables = {n: ablation_table(n, "nwucla", model).runs([0]) for n in ABLATIONS}
    # The config's own encoder is Table 1c's first.
    assert tables["1a"][1] == tables["1c"][0] == tables["1b"][2]
    assert tables["1e"][3] == tables["1f"][3] == tables["1b"][5]
    assert comparison_table("2", ["nwucla"]).runs([0])[0] in tables["1d"]
    # With features that were computed beforehand an encoder is another thing.
    table = ablation_table("1c", "nwucla-cpu", model_of("nwucla-cpu"))
    assert table.measures[0].variant.encoder == "clip-b32"


@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbones_of_table_1d(backbone: str) -> None:
    model = MODELS.build(made("nwucla-cpu", backbone, options=TINY))
    kind = {"stgcn": "STGCN", "ctr-baseline": "CTRBaseline"}.get(backbone, "CTRGCN")
    assert type(model.backbone).__name__ == kind
    if kind == "CTRGCN":
        assert model.backbone.temporal == {"ctrgcn": "multi"}.get(backbone, "single")
    features = model.backbone(torch.rand(2, 1, 8, 20, 3))
    assert features.shape == (2, 1, 32, 2, 20)


def test_both_forms_of_the_loss() -> None:
    model = model_of("nwucla")
    table = ablation_table("1d", "nwucla", model).with_losses(["paper", "public"])
    # The plain networks once, those with texts twice.
    assert [len(cell) for row in table.rows for cell in row.cells] == 4 * [1, 2]
    (*_, spec) = (spec for spec in table.runs([0]) if spec.variant.loss == "public")
    found = table_configs().make(spec).settings.model.text_branch.loss
    public = {"temperature": 0.1, "target": "softmax", "learnable": True}
    assert found == {**public, "loss_weight": 1.0}


def test_models_without_texts() -> None:
    options = {**TINY, "model.text_branch.loss.temperature": 0.2}
    plain, parts, manual = (
        made("nwucla-cpu", "ctrgcn-single", text, options=options)
        for text in ("plain", "part-classifier", "manual")
    )
    assert plain.text_branch is None
    assert type(MODELS.build(parts).text_branch).__name__ == "PartClassifier"
    assert manual.text_branch.prompts.preset == "manual"
    assert manual.text_branch.loss.temperature == 0.2
    kinds = {"bert": "HFTextEncoder", "learned-fixed": "PromptLearner"}
    for encoder, kind in kinds.items():
        branch = made("nwucla-cpu", "ctrgcn-single", "label", encoder).text_branch
        assert (branch.encoder.type, branch.features) == (kind, None)
    inner = branch.encoder.encoder
    assert (inner.model, inner.pretrained, inner.frozen) == ("ViT-B-32", "openai", True)


def test_config_of_a_run() -> None:
    assert all("model" in table_configs().base(name) for name in DATA_SETS)
    spec = RunSpec("nwucla", "bone", Variant("ctrgcn"), 0)
    data = Path("some") / "where.pkl"
    settings = table_configs(ann_file=data, processes=2).make(spec).settings
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        dataset = annotated_data(settings, loader).settings
        assert dataset["ann_file"] == str(data.absolute())
        assert len(dataset["pipeline"]) >= 5
    # Two processes share the batch of 64.
    assert settings.train_dataloader.batch_size == 32
    assert settings.model.data_preprocessor.stream == "bone"
    options = {"train_dataloader.batch_size": 16}
    settings = table_configs(options=options, processes=2).make(spec).settings
    assert settings.train_dataloader.batch_size == 16

    spec = RunSpec("sbu_kinect-cpu", "joint", Variant("ctrgcn"), 0, fold=2, shots=5)
    settings = table_configs(parts=("fit", "dev")).make(spec).settings
    assert settings.train_dataloader.dataset.dataset.split == "fold2_fit"
    assert settings.test_dataloader.dataset.split == "fold2_dev"


def test_tables_of_few_clips() -> None:
    sizes = {
        "utd_mhad-cpu": [Counter({"0": 15, "1": 16})],
        "sbu_kinect-cpu": [Counter({"0": 30, "1": 12}), Counter({"0": 18, "1": 31})],
    }
    shots, arms = [5, 20, None], ("plain", "random", "gap")
    low = low_shot_table(list(sizes), shots, arms, sizes)
    # UTD-MHAD has 5 and all, SBU 5, 20 and all on five folds.
    assert len({spec.name for spec in low.runs([0])}) == 3 * (2 + 3 * 5)
    assert [row.words[1] for row in low.rows] == ["5", "all", "5", "20", "all"]
    # Without the data all that is asked for.
    assert len(low_shot_table(["utd_mhad-cpu"], shots, arms, {}).rows) == 3
    pair = ("plain", "gap")
    board = board_table(["utd_mhad-cpu", "sbu_kinect-cpu"], BACKBONES, pair).runs([0])
    assert len(set(board)) == 4 * 2 * (1 + 5)
    assert len(set(board) & set(low.runs([0]))) == 2 * (1 + 5)
    backbones = ablation_table("1d", "nwucla-cpu", model_of("nwucla-cpu")).runs([0])
    assert set(board_table(["nwucla-cpu"], BACKBONES, pair).runs([0])) == set(backbones)
    (random,) = board_table(["nwucla-cpu"], ["stgcn"], ["random"]).runs([0])
    assert random.variant == Variant("stgcn", encoder="random")
    streams = streams_table(["nwucla-cpu"], pair)
    paper = comparison_table("2", ["nwucla-cpu"])
    assert set(streams.runs([0])) == set(paper.runs([0]))
    assert streams.measures[-1].streams == paper.measures[-1].streams


@pytest.mark.parametrize(("steps", "wanted"), [(None, 40 * 25), (375, 375)])
def test_equal_steps_and_seeds(tmp_path: Path, steps: int | None, wanted: int) -> None:
    # 80 clips of each class.
    write_annotations(tmp_path / "data.pkl", performers=40)
    configs = TableConfigs(CONFIGS, tmp_path / "data.pkl", steps=steps)
    variant = Variant("ctrgcn", encoder="random")
    for shots, times in {None: 1, 5: 16, 30: 2 if steps is None else 3}.items():
        few = RunSpec("nwucla-cpu", "joint", variant, 3, shots=shots)
        config = configs.make(few)
        assert config.iterations == pytest.approx(wanted, rel=0.01)
        data = config.settings.train_dataloader.dataset
        assert data.times == times
        assert data.dataset.get("samples_per_class") == shots
        assert data.dataset.get("subset_seed") == (None if shots is None else 3)
        assert "samples_per_class" not in config.settings.test_dataloader.dataset
    assert config.settings.param_scheduler[1].end == config.iterations
    encoder = config.settings.model.text_branch.encoder
    assert (encoder.type, encoder.seed) == ("RandomTextEncoder", 3)
    shuffled = RunSpec("nwucla-cpu", "joint", Variant("ctrgcn", shuffled=True), 4)
    branch = configs.make(shuffled).settings.model.text_branch
    assert branch.prompts.shuffle_classes == 4
    assert few.name.endswith("ctrgcn_synonym+parts4_random/30-clips_seed3")


def schedule(name: str) -> dict[str, Any]:
    path = CONFIGS.parent / "_base_" / "schedules" / f"{name}.py"
    return Config.fromfile(path, import_custom_modules=False).to_dict()


def test_scaled_schedules() -> None:
    changes = scale_schedule(schedule("gap_sgd_110e"), 2, 550)
    warm_up, steps = changes["param_scheduler"]
    # 5, 90 and 100 of 110 epochs; 2 epochs are 1,100 iterations.
    assert (warm_up["begin"], warm_up["end"]) == (0, 50)
    assert (steps["milestones"], steps["end"]) == ([900, 1000], 1100)
    assert not warm_up["by_epoch"] and not steps["by_epoch"]
    # A warm-up that is shorter than an iteration is left out.
    (steps,) = scale_schedule(schedule("gap_sgd_110e"), 1, 5)["param_scheduler"]
    changes = scale_schedule(schedule("gap_sgd_cosine_40e"), 2, 32)
    assert changes["train_cfg"] == {"max_epochs": 2, "val_interval": 1}
    warm_up, cosine = changes["param_scheduler"]
    assert (warm_up["begin"], warm_up["end"]) == (0, 5)
    assert (cosine["begin"], cosine["end"], cosine["eta_min"]) == (5, 64, 1e-4)


@pytest.mark.parametrize("steps", [20, 2000])
def test_average_of_the_weights_is_near_the_last_ones(steps: int) -> None:
    hook = schedule("gap_sgd_cosine_40e_ema")["custom_hooks"][0]
    kept = ("type", "priority", "ema_type")
    options = {key: value for key, value in hook.items() if key not in kept}
    weight: Any = nn.BatchNorm1d(1)
    average = MODELS.build({"type": hook["ema_type"], "model": weight, **options})
    for step in range(steps + 1):
        nn.init.constant_(weight.bias, step)
        weight.running_mean.fill_(step)
        average.update_parameters(weight)
    for value in (average.module.bias, average.module.running_mean):
        assert steps - float(value.detach()) < min(steps / 10, 100)


def test_schedules_that_are_left_or_cannot_be_scaled() -> None:
    own = schedule("gap_sgd_110e")
    assert scale_schedule(own, 110, 550) == {}
    own["param_scheduler"] = {"type": "ExponentialLR", "gamma": 0.9}
    with pytest.raises(ValueError, match="'ExponentialLR': --epochs can scale"):
        scale_schedule(own, 2, 10)
    with pytest.raises(ValueError, match="max_epochs is not set"):
        scale_schedule({"train_cfg": {"max_iters": 9}}, 2, 10)


GAP, PLAIN = Variant("ctrgcn"), Variant("ctrgcn", "plain")
WEIGHTS = {"joint": 0.8, "bone": 0.8, "joint-motion": 0.2, "bone-motion": 0.2}


def test_mean_and_deviation(tmp_path: Path) -> None:
    measure, other = Measure("nwucla", GAP, paper=94.0), Measure("nwucla", PLAIN)
    results = Results(tmp_path)
    for (spec,), top1 in zip(measure.replicates(range(3)), (90.0, 92.0, 93.0)):
        results.found[spec] = {"top1": top1, "best_top1": top1 + 1}
    rows = (Row(("A",), ((measure, other), ())),)
    table = Table("1x", "A title", ("Model",), ("X", "Y"), rows)
    text = to_markdown(table, results, range(5), "40 epochs")
    assert "| A | 91.7 ± 1.5 [92.7] (3 of 5) / - | 94.0 / - | - | - |" in text
    line = to_csv(table, results, range(5)).splitlines()[1]
    assert line.endswith(
        "ctrgcn_synonym+parts4 joint,91.6667,1.5275,3,5,90.0000 92.0000 93.0000,"
        "92.6667,91.0000 93.0000 94.0000,94.0"
    )


def test_ensemble(tmp_path: Path) -> None:
    measure = Measure("nwucla", GAP, tuple(WEIGHTS))
    labels = np.arange(40) % 4
    rng, results = np.random.default_rng(0), Results(tmp_path)
    fused = np.zeros((40, 4))
    ((*specs,),) = measure.replicates([0])
    for spec in specs:
        assert results.values(measure, [0]) == []  # it waits for all streams
        raw = rng.normal(size=(40, 4)) + 2 * np.eye(4)[labels]
        fused += WEIGHTS[spec.stream] * raw
        probabilities = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        write_scores(tmp_path / spec.name / SCORES, probabilities, labels)
        results.found[spec] = {"top1": 50.0}
    expected = 100 * float((fused.argmax(axis=1) == labels).mean())
    assert expected != 100 * float((raw.argmax(axis=1) == labels).mean())
    assert results.values(measure, range(2)) == pytest.approx([expected])
    assert results.values(measure, [0], best=True) == []
    # Scores of other samples are no ensemble.
    write_scores(tmp_path / specs[1].name / SCORES, raw[:9], labels[:9])
    anew = Results(tmp_path)
    anew.found = results.found
    assert anew.values(measure, [0]) == []
    assert "9 samples and 40" in next(iter(anew.problems.values()))


def test_estimate_of_time(tmp_path: Path) -> None:
    loader = {"train_dataloader": {"batch_size": 4}}
    settings = Config({"train_cfg": {"max_epochs": 20}, **loader})
    ended, begun = (RunSpec("nwucla", "joint", GAP, seed) for seed in range(2))
    plain = RunSpec("nwucla", "joint", PLAIN, 0)
    stgcn = RunSpec("nwucla", "joint", Variant("stgcn"), 0)
    other = RunSpec("ntu60-xsub", "joint", GAP, 0)
    config = RunConfig(settings, 200, Path())
    specs = (ended, begun, plain, stgcn, other)
    runs = {spec: Run(tmp_path, spec.name, spec.seed, config) for spec in specs}
    runs[ended].record.update(minutes=100.0, result={"top1": 90.0})
    runs[plain].record.update(minutes=60.0, result={"top1": 90.0})
    folder = runs[begun].path / "train"
    folder.mkdir(parents=True)
    (folder / "last_checkpoint").write_text("a/epoch_10.pth")
    text = plan_text(runs)
    assert f"| {begun.name} | stopped at epoch 10 | 10 | 100 | 50 |" in text
    assert f"| {stgcn.name} | to run | 20 | 200 | 80 |" in text
    assert f"| {other.name} | to run | 20 | 200 | ? |" in text
    assert "about 2.2 hours by the runs that have ended, without 1 run" in text
