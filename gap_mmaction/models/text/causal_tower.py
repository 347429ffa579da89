"""A causal text tower of open_clip over a :class:`~.prefix_tree.PrefixTree`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.compat import is_hooked
from gap_mmaction.utils.dependency import import_optional

from .prefix_tree import PrefixTree


def is_plain_causal(tower: Any) -> bool:
    """Whether :func:`encode_prefix_tree` computes what the tower does.

    Args:
        tower: A text tower of open_clip whose end token is read and sees the past.

    Returns:
        ``False`` where a block is not open_clip's usual one or has been changed, for
        instance by an adapter or a hook.
    """
    transformer = import_optional("open_clip.transformer", "open_clip_torch")
    if type(tower) is not transformer.TextTransformer:
        return False
    if any(map(is_hooked, (tower, tower.transformer, tower.token_embedding))):
        return False
    return all(
        type(block) is transformer.ResidualAttentionBlock
        and type(block.attn) is nn.MultiheadAttention
        and block.attn.in_proj_weight is not None
        and block.attn.bias_k is None
        and not block.attn.dropout
        and not is_hooked(block)
        and not is_hooked(block.attn)
        for block in tower.transformer.resblocks
    )


def encode_prefix_tree(tower: Any, tree: PrefixTree) -> Tensor:
    """Compute the features of texts, each common beginning once.

    The last block computes the texts' last tokens alone, as no other is read. The
    values and gradients are those of the tower itself.

    Args:
        tower: A tower for which :func:`is_plain_causal` is true.
        tree: The texts' tokens, start and end included, on the tower's device.

    Returns:
        The features ``[U, D]`` of the last tokens, projected.
    """
    x = tower.token_embedding(tree.ids)
    x = x + F.embedding(tree.positions, tower.positional_embedding)
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        if tower.transformer.grad_checkpointing:
            x = checkpoint(_block, block, x, tree, use_reentrant=False)
        else:
            x = _block(block, x, tree)
    x = tower.ln_final(_last_block(last, x, tree))
    if isinstance(tower.text_projection, nn.Linear):
        x = tower.text_projection(x)
    elif tower.text_projection is not None:
        x = x @ tower.text_projection
    return x[tree.order]


def _block(block: Any, x: Tensor, tree: PrefixTree) -> Tensor:
    attn = block.attn
    projected = F.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
    attended = []
    for nodes, _ in tree.groups:
        q, k, v = _heads(F.embedding(nodes, projected), attn.num_heads, 3)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended.append(out.transpose(1, 2).flatten(2).flatten(0, 1))
    return _residuals(block, x, F.embedding(tree.source, torch.cat(attended)))


def _last_block(block: Any, x: Tensor, tree: PrefixTree) -> Tensor:
    attn, width = block.attn, x.shape[1]
    weight, bias = attn.in_proj_weight, attn.in_proj_bias
    ends = torch.cat(
        [nodes.gather(1, lengths[:, None] - 1) for nodes, lengths in tree.groups]
    )
    normed = block.ln_1(x)
    keys = F.linear(normed, weight[width:], bias[width:])
    queries = F.linear(F.embedding(ends, normed), weight[:width], bias[:width])
    attended = []
    sizes = [len(nodes) for nodes, _ in tree.groups]
    for (nodes, lengths), query in zip(tree.groups, queries.split(sizes)):
        (q,) = _heads(query, attn.num_heads, 1)
        k, v = _heads(F.embedding(nodes, keys), attn.num_heads, 2)
        seen = torch.arange(nodes.shape[1], device=x.device) < lengths[:, None]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None])
        attended.append(out.transpose(1, 2).flatten(1))
    return _residuals(block, F.embedding(ends[:, 0], x), torch.cat(attended))


def _heads(x: Tensor, heads: int, count: int) -> tuple[Tensor, ...]:
    """Split ``[u, l, count * D]`` into ``count`` of ``[u, heads, l, D / heads]``."""
    u, length, _ = x.shape
    return x.view(u, length, count, heads, -1).permute(2, 0, 3, 1, 4).unbind()


def _residuals(block: Any, x: Tensor, attended: Tensor) -> Tensor:
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
