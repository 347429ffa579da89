"""Small descriptions and text models for the tests of the text side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from gap_mmaction.models.text.text_encoder import Tokens, TransformerTextEncoder

LABELS = ("sit down", "stand up", "throw")
FIELDS = ("head", "hand", "arm", "hip", "leg", "foot")


def write_descriptions(folder: Path, labels: Sequence[str] = LABELS) -> str:
    """Writes a description file of classes with three synonyms each."""
    classes = [
        dict(
            label=label,
            synonyms=[f"{label} {word}" for word in ("now", "again", "once more")],
            **{field: f"the {field} does {label}" for field in FIELDS},
        )
        for label in labels
    ]
    path = folder / "descriptions.yaml"
    content = dict(schema="gap-descriptions/1", dataset="mine", classes=classes)
    path.write_text(json.dumps(content))  # which is YAML
    return str(path)


@contextmanager
def raises(kind: type[Exception], *words: str) -> Iterator[None]:
    """Expects an exception whose message has all of some words."""
    with pytest.raises(kind) as error:
        yield
    assert not [word for word in words if word not in str(error.value)], error.value


def model_config(layout: Any = "nw-ucla", classes: int = 3, **options: Any) -> Any:
    """Returns the config of a small model of 8 channels."""
    size = dict(base_channels=8, num_stages=2, num_person=1)
    return dict(
        type="RecognizerGAP",
        data_preprocessor=dict(type="SkeletonDataPreprocessor", layout=layout),
        backbone=dict(type="CTRGCN", graph_cfg=dict(layout=layout), **size),
        cls_head=dict(type="GCNHead", num_classes=classes, in_channels=8),
        **options,
    )


@MODELS.register_module()
class EmbeddingTextEncoder(TransformerTextEncoder):
    """The mean of a learned vector per letter: the least that can be tuned."""

    def __init__(self, embed_dims: int = 8, frozen: bool = False) -> None:
        super().__init__(embed_dims, frozen)
        self.table = nn.Embedding(128, embed_dims)
        self.batches: list[Tokens] = []

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.table

    @property
    def context_length(self) -> int:
        return 30

    def init_weights(self) -> None:
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            self.table.weight.normal_(generator=generator)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        length = 2 + max(map(len, texts))  # longer than needed
        ids = torch.tensor([list(text.encode().ljust(length, b"\0")) for text in texts])
        return {"ids": ids, "mask": (ids > 0).long()}

    def forward(self, tokens: Tokens) -> Tensor:
        self.batches.append(tokens)
        mask = tokens["mask"].unsqueeze(-1)
        return (self.table(tokens["ids"]) * mask).sum(1) / mask.sum(1)


TINY_CLIP: dict[str, Any] = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=32, patch_size=16, layers=1, width=16, head_width=8),
    text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=2),
)


def tiny_encoder(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Returns the config of a small encoder: open_clip, bert, or clip."""
    if kind == "open_clip":
        open_clip = pytest.importorskip("open_clip")
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
        return dict(type="OpenCLIPTextEncoder", model="tiny", pretrained=None)
    pytest.importorskip("transformers")
    model = save_tiny_hf(folder / kind, kind)
    pooling = "mean" if kind == "bert" else "eos"
    return dict(type="HFTextEncoder", model=model, pooling=pooling)


def save_tiny_hf(folder: Path, kind: str, dtype: torch.dtype = torch.float32) -> str:
    """Saves a random model with a tokenizer of whole words: bert, or both of clip."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    text = " ".join([*LABELS, *FIELDS, "now again once more the does a of , \" '"])
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(text.split())]
    tokenizer = Tokenizer(
        models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {f"{word.strip('[]').lower()}_token": word for word in words[:4]}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=24, **special
    ).save_pretrained(folder)
    size: dict[str, Any] = dict(hidden_size=16, intermediate_size=32)
    size |= dict(num_hidden_layers=2, num_attention_heads=2)
    text_size = dict(size, vocab_size=len(words), max_position_embeddings=24)
    torch.manual_seed(0)
    model: Any
    if kind == "bert":
        text_size |= dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        model = transformers.BertModel(transformers.BertConfig(**text_size))
    else:
        text_size |= dict(bos_token_id=2, eos_token_id=3, pad_token_id=0)
        vision = dict(size, image_size=8, patch_size=4)
        both: Any = dict(text_config=text_size, vision_config=vision, projection_dim=10)
        model = transformers.CLIPModel(transformers.CLIPConfig(**both))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.to(dtype).save_pretrained(folder)
    return str(folder)
