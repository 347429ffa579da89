"""PrefixTree: the tokens of several texts, where common beginnings stand once."""

from __future__ import annotations

import torch
from torch import Tensor


class PrefixTree:
    """The tokens of several texts, where common beginnings stand once.

    In a transformer whose tokens see the past alone, what becomes of a token depends on
    it and those before it. Texts that begin alike, with the start token at the least
    and often with the action's name, share that part of the computation.

    Args:
        ids: Tokens ``[U, L]`` of U texts.
        lengths: How many of them each text has, ``[U]``, at least one.
        device: Where the attributes shall be.
        bucket_size: Texts whose lengths differ by less may share a group.

    Attributes:
        ids: The token of each node, ``[P]``.
        positions: Its place in its texts, ``[P]``.
        groups: The nodes of texts of like length, ``[u, l]`` each, and the lengths of
            these texts, ``[u]``. What follows a text's end repeats its last node.
        source: Where each node is found among those of all groups, ``[P]``.
        order: Where each text is found among those of all groups, ``[U]``.

    Examples:
        >>> ids = torch.tensor([[9, 1, 2, 8], [9, 1, 8, 0]])
        >>> tree = PrefixTree(ids, torch.tensor([4, 3]))
        >>> tree.ids.tolist(), tree.positions.tolist()
        ([9, 1, 2, 8, 8], [0, 1, 2, 3, 2])
    """

    def __init__(
        self,
        ids: Tensor,
        lengths: Tensor,
        device: torch.device | str = "cpu",
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
        self.ids = ids[new].to(device)
        self.positions = columns.expand_as(ids)[new].to(device)

        buckets = (lengths - 1) // bucket_size
        source = torch.empty(len(self.ids), dtype=torch.long)
        order, start = torch.empty_like(rows), 0
        self.groups: list[tuple[Tensor, Tensor]] = []
        texts = 0
        for bucket in buckets.unique().tolist():
            members = (buckets == bucket).nonzero()[:, 0]
            length = int(lengths[members].max())
            group, seen = nodes[members, :length], valid[members, :length]
            places = start + torch.arange(group.numel()).view_as(group)
            source[group[seen]] = places[seen]
            order[rows[members]] = texts + torch.arange(len(members))
            self.groups.append((group.to(device), lengths[members].to(device)))
            start += group.numel()
            texts += len(members)
        self.source = source.to(device)
        self.order = order.to(device)
