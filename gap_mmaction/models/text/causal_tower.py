"""open_clip's causal text tower over texts whose common beginnings stand once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.compat import is_hooked
from gap_mmaction.utils.dependency import import_optional
from gap_mmaction.utils.sending import send_together

CPU = torch.device("cpu")


class PrefixTree:
    """The tokens of several texts, where common beginnings stand once.

    Where tokens see the past alone, texts that begin alike share that computation.

    Args:
        ids: Tokens ``[U, L]`` of U texts, start and end included.
        lengths: How many of them each text has, ``[U]``, at least one.
        device: Where the attributes shall be, by one copy.
        bucket_size: Texts whose lengths differ by less may share a group.

    Attributes:
        ids: The token of each node, ``[P]``; ``positions`` is its place in its texts.
        groups: The nodes of texts of like length, ``[u, l]`` each, and the lengths of
            these texts, ``[u]``. What follows a text's end repeats its last node.
        source: Where each node is found among those of all groups, ``[P]``.
        order: Where each text is found among those of all groups, ``[U]``.
    """

    def __init__(
        self,
        ids: Tensor,
        lengths: Tensor,
        device: torch.device = CPU,
        bucket_size: int = 8,
    ) -> None:
        columns = torch.arange(ids.shape[1])
        valid = columns < lengths[:, None]
        # Rows that begin alike become neighbours.
        _, rank = torch.unique(ids.masked_fill(~valid, -1), dim=0, return_inverse=True)
        rows = rank.argsort(stable=True)
        ids, lengths, valid = ids[rows], lengths[rows], valid[rows]
        same = (ids[1:] == ids[:-1]) & valid[1:] & valid[:-1]
        new = valid.clone()
        new[1:] &= same.cumprod(1) == 0
        # The numbers grow from row to row, so that the largest is the last one's.
        numbers = (new.flatten().cumsum(0) - 1).view_as(new).masked_fill(~new, -1)
        nodes = numbers.cummax(0).values
        ends = nodes.gather(1, lengths[:, None] - 1)
        nodes = torch.where(valid, nodes, ends)
        node_ids, positions = ids[new], columns.expand_as(ids)[new]

        buckets = (lengths - 1) // bucket_size
        source = torch.empty_like(node_ids)
        order, start = torch.empty_like(rows), 0
        groups: list[Tensor] = []
        texts = 0
        for bucket in buckets.unique().tolist():
            members = (buckets == bucket).nonzero()[:, 0]
            length = int(lengths[members].max())
            group, seen = nodes[members, :length], valid[members, :length]
            places = start + torch.arange(group.numel()).view_as(group)
            source[group[seen]] = places[seen]
            order[rows[members]] = texts + torch.arange(len(members))
            groups += [group, lengths[members]]
            start += group.numel()
            texts += len(members)
        sent = send_together([node_ids, positions, source, order, *groups], device)
        self.ids, self.positions, self.source, self.order, *groups = sent
        self.groups = list(zip(groups[::2], groups[1::2]))


def is_plain_causal(tower: Any) -> bool:
    """Whether a causal tower of open_clip's usual form has no adapters or hooks."""
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
    """Returns the features ``[U, D]`` of a tower that :func:`is_plain_causal`.

    The last block computes the texts' last tokens alone, as no other is read.
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
    return F.embedding(tree.order, x)


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
    """Splits ``[u, l, count * D]`` into ``count`` of ``[u, heads, l, D / heads]``."""
    u, length, _ = x.shape
    return x.view(u, length, count, heads, -1).permute(2, 0, 3, 1, 4).unbind()


def _residuals(block: Any, x: Tensor, attended: Tensor) -> Tensor:
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
