"""The text tower of open_clip's models, and common beginnings in it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import save_file
from torch import Tensor, nn

from gap_mmaction.models import OpenCLIPTextEncoder
from gap_mmaction.models.text import open_clip_encoder
from gap_mmaction.models.text.causal_tower import encode_prefix_tree, is_plain_causal
from gap_mmaction.models.text.text_encoder import select_tokens
from tests.models.text_common import TINY_CLIP, raises

open_clip: Any = pytest.importorskip("open_clip")
TEXTS = ["sit down", "stand up, and the arms swing forward", "throw"]
NAMES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "tiny-quickgelu": dict(quick_gelu=True),
    "tiny-custom": dict(custom_text=True),  # names its tensors `text.*`
    "tiny-both-ways": dict(no_causal_mask=True, pool_type="last"),  # as SigLIP
    "tiny-first": dict(pool_type="first"),
    "tiny-coca": dict(context_length=76, embed_cls=True, output_tokens=True),
    "tiny-scaled": dict(ls_init_value=0.5),
    "tiny-linear": dict(proj_bias=True),
    "tiny-no-projection": dict(proj_type="none"),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, change in NAMES.items():
        outer = change if {"quick_gelu", "custom_text"} & set(change) else {}
        text = TINY_CLIP["text_cfg"] | ({} if outer else change)
        config = {**TINY_CLIP, **outer, "text_cfg": text}
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)


def _tiny(name: str = "tiny", **options: Any) -> OpenCLIPTextEncoder:
    torch.manual_seed(0)
    return OpenCLIPTextEncoder(name, **{"pretrained": None, **options})


def _library_model(name: str = "tiny") -> Any:
    torch.manual_seed(0)
    if name == "tiny-coca":
        config = open_clip.get_model_config(name)
        config["multimodal_cfg"] = dict(config["text_cfg"], embed_cls=False)
        return open_clip.CoCa(**config).eval()
    return open_clip.create_model(name, pretrained=None).eval()


@pytest.mark.parametrize("name", NAMES)
def test_features(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _library_model(name)
    file = str(tmp_path / "clip.pt")
    torch.save(model.state_dict(), file)
    ids = open_clip.get_tokenizer(name)(TEXTS)
    with torch.no_grad():
        expected = model.encode_text(ids, normalize=False)
    # The image tower is not built.
    monkeypatch.setattr(open_clip.model, "_build_vision_tower", None)
    config = dict(type="OpenCLIPTextEncoder", model=name, pretrained=file)
    encoder = MODELS.build(config).eval()
    encoder.init_weights()
    # A copy, as MMEngine's EMAHook makes one.
    found = copy.deepcopy(encoder).encode(TEXTS)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    # The cut changes nothing.
    tokens, rows = encoder.tokenize(TEXTS), torch.tensor([2, 0])
    cut = select_tokens(tokens, rows)
    torch.testing.assert_close(encoder(cut), expected[rows], rtol=1e-4, atol=1e-5)
    # None where padding is seen, or the token that is read is elsewhere.
    assert cut["ids"].shape == (2, 4 if encoder.can_cut else encoder.context_length)


def test_quick_gelu(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {"openai": dict(url="x", quick_gelu=True), "other": dict(url="x")}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
    for name, tag in (("", None), ("-quickgelu", None), ("", "openai"), ("", "other")):
        modules = _tiny(f"tiny{name}", pretrained=tag).modules()
        kinds = {type(module).__name__ for module in modules} & {"QuickGELU", "GELU"}
        assert kinds == {"QuickGELU" if name or tag == "openai" else "GELU"}


@pytest.mark.parametrize("content", [b"not what it says", [1, 2], None])
@pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
def test_other_files(tmp_path: Path, name: str, content: Any) -> None:
    file, words = tmp_path / name, [name]
    if isinstance(content, bytes):
        file.write_bytes(content)
        words += ["no state dict"]
    elif content:
        torch.save(content, file)
    else:
        state = {k: v.contiguous() for k, v in _library_model().state_dict().items()}
        del state["positional_embedding"]
        state["ln_final.weight"] = torch.zeros(7)
        save_file(state, str(file)) if name.endswith("s") else torch.save(state, file)
        words += ["tiny", "2 of ", "'positional_embedding'", "`model`"]
    with raises(ValueError, *words):
        _tiny(pretrained=str(file)).init_weights()


def test_unknown_names() -> None:
    for name, tag, words in (
        ("ViT-X", None, "'ViT-X'; see open_clip.list_"),
        ("ViT-B-32", "gold", "'gold' .*'ViT-B-32'.*'openai'"),
        ("roberta-ViT-B-32", None, "'roberta-base'; use HFTextEncoder"),
    ):
        with pytest.raises(ValueError, match=words):
            _tiny(name, pretrained=tag)


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    offline = mock.Mock(side_effect=FileNotFoundError("Failed to download file"))
    tags = {"openai": dict(hf_hub="a/b/")}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
    monkeypatch.setattr(open_clip, "download_pretrained", offline)
    with pytest.raises(RuntimeError, match=r"'tiny \(openai\)'.*Failed to.*features="):
        _tiny(pretrained="openai").init_weights()


TREE = [
    "walk around, both arms swing at the sides of the body",
    "walk around, both legs step in turns",
    "walk around",
    "sit down, the hips are lowered and the upper body leans back at last, slowly",
]


def _moved(name: str = "tiny", **options: Any) -> OpenCLIPTextEncoder:
    encoder = _tiny(name, **options).double()
    with torch.no_grad():  # as they start, biases and positions are next to nothing
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the trees, so that no test goes around them."""
    counted: list[int] = []

    def count(tower: Any, tree: Any) -> Tensor:
        counted.append(len(tree.ids))
        return encode_prefix_tree(tower, tree)

    monkeypatch.setattr(open_clip_encoder, "encode_prefix_tree", count)
    return counted


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("kind", ["", "-scaled", "-linear", "-no-projection"])
def test_common_beginnings(kind: str, checkpointing: bool, calls: list[int]) -> None:
    encoder = _moved(f"tiny{kind}", gradient_checkpointing=checkpointing)
    tokens = encoder.tokenize(TREE)
    rows = torch.tensor([3, 2, 1, 0])
    shared = encoder.encode_tokens(tokens, rows)
    plain = encoder({key: value[rows] for key, value in tokens.items()})
    texts = [row[:n].tolist() for row, n in zip(tokens["ids"], tokens["mask"].sum(1))]
    # Every beginning once.
    distinct = {tuple(text[: k + 1]) for text in texts for k in range(len(text))}
    assert calls == [len(distinct)]
    torch.testing.assert_close(shared, plain, rtol=1e-10, atol=1e-12)
    weight, parameters = torch.randn_like(plain), list(encoder.parameters())
    found, expected = (
        torch.autograd.grad((x * weight).sum(), parameters) for x in (shared, plain)
    )
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_batches_of_few_shapes(calls: list[int]) -> None:
    encoder = _moved()
    tokens, rows = encoder.tokenize(TREE), torch.tensor([3, 0, 1])
    expected = encoder.encode_tokens(tokens, rows)
    encoder.pad_to = (8, 4)
    found = encoder.encode_tokens(tokens, rows)
    assert len(calls) == 1
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["token_embedding", "transformer.resblocks.0"])
def test_a_tower_with_hooks_computes_by_its_own_means(
    name: str, calls: list[int]
) -> None:
    encoder = _moved()
    tokens, rows = encoder.tokenize(TREE), torch.tensor([1, 2])
    before = encoder.encode_tokens(tokens, rows)
    module = encoder.tower.get_submodule(name)
    module.register_forward_hook(lambda module, args, out: 2 * out)
    after = encoder.encode_tokens(tokens, rows)
    assert len(calls) == 1
    assert not torch.allclose(before, after)
    tower = _tiny().tower
    assert is_plain_causal(tower)
    kind = type("Adapted", (nn.MultiheadAttention,), {})  # as an adapter's
    tower.transformer.resblocks[-1].attn = kind(16, 2)
    assert not is_plain_causal(tower)
