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
from tests.models.text_common import TINY_CLIP

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
    """Register small models; the image tower may not be built by the encoder."""
    for name, change in NAMES.items():
        config = copy.deepcopy(TINY_CLIP)
        for key, value in change.items():
            where = (
                config if key in ("quick_gelu", "custom_text") else config["text_cfg"]
            )
            where[key] = value
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)


@pytest.fixture
def no_image_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the image tower is built")

    monkeypatch.setattr(open_clip.model, "_build_vision_tower", fail)


def _library_model(name: str) -> Any:
    torch.manual_seed(0)
    if name == "tiny-coca":
        config = open_clip.get_model_config(name)
        config["multimodal_cfg"] = dict(config["text_cfg"], embed_cls=False)
        return open_clip.CoCa(**config).eval()
    return open_clip.create_model(name, pretrained=None).eval()


def _save(model: torch.nn.Module, path: Path) -> str:
    torch.save(model.state_dict(), path)
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_features(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _library_model(name)
    file = _save(model, tmp_path / "clip.pt")
    ids = open_clip.get_tokenizer(name)(TEXTS)
    with torch.no_grad():
        expected = model.encode_text(ids, normalize=False)
    monkeypatch.setattr(open_clip.model, "_build_vision_tower", None)
    encoder = MODELS.build(
        dict(type="OpenCLIPTextEncoder", model=name, pretrained=file)
    )
    encoder.init_weights()
    assert encoder.embed_dims == 12
    torch.testing.assert_close(encoder.encode(TEXTS), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_cut_changes_nothing(name: str, no_image_tower: None) -> None:
    encoder = OpenCLIPTextEncoder(name, pretrained=None).eval()
    tokens = encoder.tokenize(TEXTS)
    full = 76 if name == "tiny-coca" else 77
    assert tokens["ids"].shape == tokens["mask"].shape == (3, full)
    rows = torch.tensor([2, 0])
    cut = select_tokens(tokens, rows)
    torch.testing.assert_close(
        encoder(cut), encoder(tokens)[rows], rtol=1e-4, atol=1e-5
    )
    if encoder.can_cut:
        # Start and end of a text, and a token for each word and comma.
        assert tokens["mask"].sum(1).tolist() == [4, 10, 3]
        assert cut["ids"].shape == (2, 4)
    else:
        # Padding is seen, or the token that is read is elsewhere.
        assert cut["ids"].shape == (2, full)


def test_models_of_the_paper_are_cut() -> None:
    for name in ("ViT-B-32", "ViT-B-16", "ViT-L-14"):
        config = open_clip.CLIPTextCfg(**open_clip.get_model_config(name)["text_cfg"])
        assert config.pool_type == "argmax"
        assert not config.no_causal_mask and not config.embed_cls


def test_gradients_of_cut_texts() -> None:
    encoder = OpenCLIPTextEncoder("tiny", pretrained=None)
    tokens = encoder.tokenize(TEXTS)
    grads = []
    for batch in (tokens, select_tokens(tokens, torch.arange(3))):
        encoder.zero_grad()
        encoder(batch).square().sum().backward()
        grads.append([p.grad.clone() for p in encoder.parameters()])  # type: ignore[union-attr]
    for full, cut in zip(*grads):
        torch.testing.assert_close(cut, full, rtol=1e-4, atol=1e-5)


def test_gradient_checkpointing() -> None:
    torch.manual_seed(0)
    plain = OpenCLIPTextEncoder("tiny", pretrained=None)
    saving = OpenCLIPTextEncoder("tiny", pretrained=None, gradient_checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    tokens = select_tokens(plain.tokenize(TEXTS), torch.arange(3))
    for encoder in (plain, saving):
        encoder(tokens).square().sum().backward()
    for left, right in zip(plain.parameters(), saving.parameters()):
        assert left.grad is not None and right.grad is not None
        torch.testing.assert_close(left.grad, right.grad)


def test_state_is_untouched_by_a_forward() -> None:
    encoder = OpenCLIPTextEncoder("tiny", pretrained=None)
    mask = encoder.tower.attn_mask
    encoder(select_tokens(encoder.tokenize(TEXTS), torch.tensor([0])))
    assert encoder.tower.attn_mask is mask
    assert mask.shape == (77, 77)


class TestQuickGELU:
    """OpenAI's activation: from the config, or from the tag of the weights."""

    @staticmethod
    def _is_quick(encoder: OpenCLIPTextEncoder) -> bool:
        kinds = {type(module).__name__ for module in encoder.modules()}
        assert ("QuickGELU" in kinds) != ("GELU" in kinds)
        return "QuickGELU" in kinds

    def test_config(self) -> None:
        assert not self._is_quick(OpenCLIPTextEncoder("tiny", pretrained=None))
        assert self._is_quick(OpenCLIPTextEncoder("tiny-quickgelu", pretrained=None))

    def test_tag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tags = {"openai": dict(url="x", quick_gelu=True), "other": dict(url="x")}
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
        assert self._is_quick(OpenCLIPTextEncoder("tiny", pretrained="openai"))
        assert not self._is_quick(OpenCLIPTextEncoder("tiny", pretrained="other"))

    @pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14"])
    def test_tags_of_openai_say_so(self, name: str) -> None:
        assert open_clip.get_pretrained_cfg(name, "openai")["quick_gelu"]


class TestFiles:
    """Weights from a file."""

    def test_safetensors(self, tmp_path: Path) -> None:
        model = _library_model("tiny")
        file = tmp_path / "clip.safetensors"
        state = {k: v.contiguous() for k, v in model.state_dict().items()}
        save_file(state, str(file))
        encoder = OpenCLIPTextEncoder("tiny", pretrained=str(file))
        encoder.init_weights()
        for name, value in encoder.tower.state_dict().items():
            assert torch.equal(value, state[name])

    def test_training_checkpoint(self, tmp_path: Path) -> None:
        # As open_clip's own training leaves it.
        state = {
            f"module.{k}": v for k, v in _library_model("tiny").state_dict().items()
        }
        torch.save({"epoch": 1, "state_dict": state}, tmp_path / "epoch_1.pt")
        encoder = OpenCLIPTextEncoder("tiny", pretrained=str(tmp_path / "epoch_1.pt"))
        encoder.init_weights()
        projection = encoder.tower.state_dict()["text_projection"]
        assert torch.equal(projection, state["module.text_projection"])

    def test_other_model(self, tmp_path: Path) -> None:
        state = _library_model("tiny").state_dict()
        del state["positional_embedding"]
        state["ln_final.weight"] = torch.zeros(7)
        torch.save(state, tmp_path / "clip.pt")
        encoder = OpenCLIPTextEncoder("tiny", pretrained=str(tmp_path / "clip.pt"))
        with pytest.raises(ValueError) as error:
            encoder.init_weights()
        for word in ("clip.pt", "tiny", "2 of ", "'positional_embedding'", "`model`"):
            assert word in str(error.value)

    @pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
    def test_no_weights(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("this is not what it says it is")
        encoder = OpenCLIPTextEncoder("tiny", pretrained=str(tmp_path / name))
        with pytest.raises(ValueError, match=rf"{name} holds no state dict"):
            encoder.init_weights()

    @pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}])
    def test_no_state_dict(self, tmp_path: Path, content: Any) -> None:
        torch.save(content, tmp_path / "clip.pt")
        encoder = OpenCLIPTextEncoder("tiny", pretrained=str(tmp_path / "clip.pt"))
        with pytest.raises(ValueError, match=r"clip\.pt"):
            encoder.init_weights()


class TestErrors:
    """What a user may get wrong."""

    def test_model(self) -> None:
        with pytest.raises(ValueError, match=r"no model 'ViT-X'; see open_clip\.list_"):
            OpenCLIPTextEncoder("ViT-X")

    def test_tag(self) -> None:
        with pytest.raises(
            ValueError, match=r"'gold' is neither .*'ViT-B-32'.*'openai'"
        ):
            OpenCLIPTextEncoder("ViT-B-32", pretrained="gold")

    def test_transformers_model(self) -> None:
        with pytest.raises(ValueError, match="'roberta-base'; use HFTextEncoder"):
            OpenCLIPTextEncoder("roberta-ViT-B-32", pretrained=None)

    def test_offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*args: Any, **kwargs: Any) -> None:
            raise FileNotFoundError("Failed to download file")

        tags = {"openai": dict(hf_hub="a/b/")}
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
        monkeypatch.setattr(open_clip, "download_pretrained", offline)
        encoder = OpenCLIPTextEncoder("tiny", pretrained="openai")
        with pytest.raises(RuntimeError) as error:
            encoder.init_weights()
        for word in (
            "'tiny (openai)'",
            "Failed to download",
            "tools/cache_text_features.py",
            "model.text_branch.features=FILE",
        ):
            assert word in str(error.value)

    def test_library_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "open_clip", None)
        with pytest.raises(ImportError, match="pip install open_clip_torch"):
            OpenCLIPTextEncoder("tiny")


def test_copy(no_image_tower: None) -> None:
    """As MMEngine's EMAHook makes one."""
    encoder = OpenCLIPTextEncoder("tiny", pretrained=None)
    encoder.tokenize(TEXTS)
    copied = copy.deepcopy(encoder)
    assert torch.equal(copied.encode(TEXTS), encoder.encode(TEXTS))
