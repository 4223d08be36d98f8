"""Losses that stand wrong labels, for the batched optimiser; both have the cross-entropy as their limit.

Neither is convex, so their fits start from the solution of the cross-entropy, which makes them deterministic.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.train.batched_lbfgs import Loss

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

Q = 0.7  # as in the paper: between the cross-entropy, 0, and the mean absolute error, 1


def generalised_cross_entropy(
    logits: "torch.Tensor", answers: "torch.Tensor", weights: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Loss (1 - p ** q) / q of the probability p of the label, and its gradient with respect to the logits.

    Zhang & Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", 2018,
    arXiv 1805.07836. A photo whose label the head is sure to be wrong has hardly any gradient.
    """
    logs = logits.log_softmax(0)
    rows = answers[None]
    power = logs.gather(0, rows)[0].mul(Q).exp_()
    loss = (((1 - power) / Q).double() * weights).sum()
    gradient = logs.exp_()
    gradient.scatter_add_(0, rows, gradient.new_full((1, 1), -1.0).expand(1, len(answers)))
    return loss, gradient.mul_(power * weights)


def forward_correction(transition: Array) -> Loss:
    """Return the cross-entropy of the given labels, whose probabilities are those of the true labels times a matrix.

    Patrini, Rozza, Menon, Nock & Qu, "Making deep neural networks robust to label noise: a loss correction approach",
    2017, arXiv 1609.03683. The head learns the true labels, because the matrix accounts for the wrong ones.

    Args:
        transition: Probability of each given label (columns) by the true label (rows), shape (K, K), all > 0.
    """
    matrix = np.ascontiguousarray(transition, np.float32)

    def loss(
        logits: "torch.Tensor", answers: "torch.Tensor", weights: "torch.Tensor"
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        import torch

        columns = torch.from_numpy(matrix).to(logits.device)[:, answers]
        probabilities = logits.softmax(0)
        joint = columns * probabilities
        total = joint.sum(0)
        value = -(total.log().double() * weights).sum()
        return value, probabilities.sub_(joint.div_(total)).mul_(weights)

    return loss
