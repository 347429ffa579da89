"""The contrastive loss between skeleton parts and their descriptions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS

TARGETS = ("uniform", "softmax")


@MODELS.register_module()
class MultiPartContrastiveLoss(nn.Module):
    r"""Symmetric KL contrastive loss, averaged over the parts (GAP, eq. 4 to 6).

    All samples of a class are positives of one another. For part k with the cosines
    :math:`c_{ij}` between skeleton feature i and text feature j the predictions are
    :math:`p_i = \mathrm{softmax}_j(c_{ij} / \tau)`, and the same with i and j
    exchanged; each is compared with a target q by :math:`KL(q \| p)`, summed over j
    and averaged over i.

    * The paper's form is the default: ``temperature=0.1``, ``target='uniform'`` over
      the positives.
    * The public code's is ``target='softmax', learnable=True``, with :math:`q =
      \mathrm{softmax}(10 \cdot [y_i = y_j])` and a learned factor per part in place of
      :math:`1 / \tau`, used raw, without an exponential.

    Args:
        num_parts: Number of parts K, the global one included.
        temperature: :math:`\tau`; not used if ``learnable``.
        target: ``'uniform'`` or ``'softmax'``.
        learnable: Whether the factor is a parameter ``logit_scale`` of shape ``[K]``
            that starts at ``ln(1 / 0.07)``.
        loss_weight: The weight lambda of the loss in the sum (eq. 1).
        learnable_weight: Whether lambda is learned, from ``loss_weight`` on: the loss
            is :math:`\lambda L - \ln \lambda` with :math:`\lambda = e^{-s}`
            (uncertainty weighting, Kendall et al., CVPR 2018). The paper calls lambda
            learnable (section 3.1), but searches it (section 4.2).
    """

    logit_scale: Tensor

    def __init__(
        self,
        num_parts: int,
        temperature: float = 0.1,
        target: str = "uniform",
        learnable: bool = False,
        loss_weight: float = 0.8,
        learnable_weight: bool = False,
    ) -> None:
        super().__init__()
        if num_parts < 1:
            raise ValueError(f"num_parts must be at least 1, got {num_parts}")
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if target not in TARGETS:
            raise ValueError(f"target {target!r} is unknown, use one of {TARGETS}")
        self.num_parts = num_parts
        self.temperature = temperature
        self.target = target
        self._loss_weight = loss_weight
        self.log_variance: nn.Parameter | None = None
        if learnable_weight:
            if loss_weight <= 0:
                raise ValueError(
                    f"loss_weight must be above 0 to be learned, got {loss_weight}"
                )
            self.log_variance = nn.Parameter(torch.tensor(-math.log(loss_weight)))
        scale = torch.full((num_parts,), 1 / temperature)
        if learnable:
            self.logit_scale = nn.Parameter(scale.fill_(math.log(1 / 0.07)))
        else:
            self.register_buffer("logit_scale", scale, persistent=False)

    def forward(self, skeleton: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        """Returns the weighted mean over the parts, see :meth:`per_part`."""
        loss = self.loss_weight * self.per_part(skeleton, text, labels).mean()
        return loss if self.log_variance is None else loss + self.log_variance

    @property
    def loss_weight(self) -> float | Tensor:
        """The weight lambda."""
        if self.log_variance is None:
            return self._loss_weight
        return torch.exp(-self.log_variance)

    def per_part(self, skeleton: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        """Returns the unweighted losses ``[K]`` of the parts.

        Features are ``[B, K, D]``, of any norm, labels class indices ``[B]``; a
        ValueError is raised if they do not fit one another or ``num_parts``.
        """
        batch = len(labels)
        expected = (batch, self.num_parts)
        if skeleton.shape != text.shape or skeleton.shape[:2] != expected:
            raise ValueError(
                f"expected features [{batch}, {self.num_parts}, D] of both kinds, got "
                f"{list(skeleton.shape)} and {list(text.shape)}"
            )
        # In half precision exp(10) would swallow the negatives of the softmax target.
        with torch.autocast(skeleton.device.type, enabled=False):
            dtype = torch.promote_types(skeleton.dtype, torch.float32)
            source = F.normalize(skeleton.to(dtype), dim=-1).transpose(0, 1)
            other = F.normalize(text.to(dtype), dim=-1).transpose(0, 1)
            logits = self.logit_scale[:, None, None] * (source @ other.mT)
            target = self.targets(labels, dtype)
            negative_entropy = torch.xlogy(target, target).sum()
            to_text = (target * F.log_softmax(logits, dim=2)).sum((1, 2))
            to_skeleton = (target.mT * F.log_softmax(logits, dim=1)).sum((1, 2))
            return (negative_entropy - (to_text + to_skeleton) / 2) / batch

    def targets(self, labels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Returns the target distributions ``[B, B]``, a row per sample."""
        same = (labels[:, None] == labels[None, :]).to(dtype)
        if self.target == "softmax":
            return F.softmax(10 * same, dim=1)
        return same / same.sum(1, keepdim=True)
