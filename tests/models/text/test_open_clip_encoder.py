"""The text tower of open_clip's models, with random weights."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import save_file

from gap_mmaction.models import OpenCLIPTextEncoder
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
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers small models."""
    for name, change in NAMES.items():
        config = copy.deepcopy(TINY_CLIP)
        for key, value in change.items():
            is_outer = key in ("quick_gelu", "custom_text")
            (config if is_outer else config["text_cfg"])[key] = value
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
    assert encoder.embed_dims == 12
    torch.testing.assert_close(encoder.encode(TEXTS), expected, rtol=1e-4, atol=1e-5)
    # The cut changes nothing.
    tokens = encoder.tokenize(TEXTS)
    full = 76 if name == "tiny-coca" else 77
    assert tokens["ids"].shape == tokens["mask"].shape == (3, full)
    rows = torch.tensor([2, 0])
    cut = select_tokens(tokens, rows)
    torch.testing.assert_close(encoder(cut), expected[rows], rtol=1e-4, atol=1e-5)
    if encoder.can_cut:
        # Start and end of a text, and a token for each word and comma.
        assert tokens["mask"].sum(1).tolist() == [4, 10, 3]
        assert cut["ids"].shape == (2, 4)
    else:
        # Padding is seen, or the token that is read is elsewhere.
        assert cut["ids"].shape == (2, full)


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14"])
def test_models_of_the_paper(name: str) -> None:
    config = open_clip.CLIPTextCfg(**open_clip.get_model_config(name)["text_cfg"])
    assert config.pool_type == "argmax"
    assert not config.no_causal_mask and not config.embed_cls
    # OpenAI's activation.
    assert open_clip.get_pretrained_cfg(name, "openai")["quick_gelu"]


def test_gradients() -> None:
    plain, saving = _tiny(), _tiny(gradient_checkpointing=True)
    tokens = plain.tokenize(TEXTS)
    cut = select_tokens(tokens, torch.arange(3))
    mask = plain.tower.attn_mask
    grads = []
    for encoder, batch in ((plain, tokens), (plain, cut), (saving, cut)):
        encoder.zero_grad()
        encoder(batch).square().sum().backward()
        grads.append([p.grad for p in encoder.parameters()])
    for other in grads[1:]:
        torch.testing.assert_close(other, grads[0], rtol=1e-4, atol=1e-5)
    # A forward pass leaves the tower as it is.
    assert plain.tower.attn_mask is mask and mask.shape == (77, 77)


@pytest.mark.parametrize(
    ("name", "tag", "expected"),
    [
        ("tiny", None, False),
        ("tiny-quickgelu", None, True),
        ("tiny", "openai", True),
        ("tiny", "other", False),
    ],
)
def test_quick_gelu(
    name: str, tag: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"openai": dict(url="x", quick_gelu=True), "other": dict(url="x")}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
    kinds = {type(module).__name__ for module in _tiny(name, pretrained=tag).modules()}
    assert ("QuickGELU" in kinds, "GELU" in kinds) == (expected, not expected)


@pytest.mark.parametrize("form", ["safetensors", "training"])
def test_forms_of_files(form: str, tmp_path: Path) -> None:
    state = {k: v.contiguous() for k, v in _library_model().state_dict().items()}
    file = str(tmp_path / "clip.safetensors")
    if form == "safetensors":
        save_file(state, file)
    else:  # as open_clip's own training leaves it
        file = str(tmp_path / "epoch_1.pt")
        whole = {f"module.{k}": v for k, v in state.items()}
        torch.save({"epoch": 1, "state_dict": whole}, file)
    encoder = _tiny(pretrained=file)
    encoder.init_weights()
    for name, value in encoder.tower.state_dict().items():
        assert torch.equal(value, state[name])


@pytest.mark.parametrize("content", [b"not what it says", [1, 2], {}, {"a": 1}, None])
@pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
def test_other_files(tmp_path: Path, name: str, content: Any) -> None:
    file, words = tmp_path / name, [name]
    if isinstance(content, bytes):
        file.write_bytes(content)
        words += ["no state dict"]
    elif content is not None:
        torch.save(content, file)
    else:
        state = {k: v.contiguous() for k, v in _library_model().state_dict().items()}
        del state["positional_embedding"]
        state["ln_final.weight"] = torch.zeros(7)
        save_file(state, str(file)) if name.endswith("s") else torch.save(state, file)
        words += ["tiny", "2 of ", "'positional_embedding'", "`model`"]
    with raises(ValueError, *words):
        _tiny(pretrained=str(file)).init_weights()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(name="ViT-X"), "'ViT-X'; see open_clip.list_"),
        (dict(name="ViT-B-32", pretrained="gold"), "'gold' .*'ViT-B-32'.*'openai'"),
        (dict(name="roberta-ViT-B-32"), "'roberta-base'; use HFTextEncoder"),
    ],
)
def test_unknown_names(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _tiny(**options)


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> None:
        raise FileNotFoundError("Failed to download file")

    tags = {"openai": dict(hf_hub="a/b/")}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
    monkeypatch.setattr(open_clip, "download_pretrained", offline)
    with pytest.raises(RuntimeError, match=r"'tiny \(openai\)'.*Failed to.*features="):
        _tiny(pretrained="openai").init_weights()


def test_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ImportError, match="pip install open_clip_torch"):
        OpenCLIPTextEncoder("tiny")


def test_copy() -> None:
    """As MMEngine's EMAHook makes one."""
    encoder = _tiny()
    encoder.tokenize(TEXTS)
    copied = copy.deepcopy(encoder)
    assert torch.equal(copied.encode(TEXTS), encoder.encode(TEXTS))
