"""Policies against imbalance: what each of them does in the training of a linear head, and the choice among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import resampled
from coachworks.scores import tally, tally_by_set
from components.train.selection import REPLICATES

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

AUTO = "auto"  # the setting: each skill's policy is chosen by measurement
BALANCED, NONE, ADJUSTED, FOCAL = "balanced", "none", "logit-adjustment", "focal"
# In the order in which equally good ones are preferred. All but `none` aim at labels that count alike; the first is the
# plainest of them, and the only one that also helps where a head can part its training photos whatever they weigh.
POLICIES = (ADJUSTED, BALANCED, FOCAL, NONE)
UNEVEN = 1.5  # ratio of the most to the fewest photos of a label from which there is something to choose


@dataclass(frozen=True, kw_only=True)
class PolicyScore:
    """Balanced accuracy of a policy, and the standard error of its difference to the best policy's; 0 for the best."""

    balanced_accuracy: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class Imbalance:
    """The policy of a skill, and what it was chosen by.

    Attributes:
        policy: One of `POLICIES`.
        tried: Score of each policy that competed; empty without a competition.
        why: The choice in words.
    """

    policy: str
    tried: Mapping[str, PolicyScore]
    why: str


def pick_policy(logits: Mapping[str, Array], answers: Array, sets: Array, *, seed: int) -> Imbalance:
    """Pick the first policy, in the order of `POLICIES`, within one standard error of the best by balanced accuracy.

    The policies answer the same photos and mostly agree. So the error is that of their difference, by a bootstrap of
    the sets with the same draws for all; it is smaller than that of either accuracy.

    Args:
        logits: Logits of each policy on photos that its heads were not fitted on, each shape (M, K).
        answers: Label indices of these photos, shape (M,).
        sets: Their sets, shape (M,).
        seed: Seed of the bootstrap.
    """
    ordered = [policy for policy in POLICIES if policy in logits]
    if not len(answers):
        why = f"{ordered[0]}: no photo can be held out to compare policies by"
        return Imbalance(policy=ordered[0], tried={}, why=why)
    accuracy, replicates = {}, {}
    for policy in ordered:
        predicted, labels = logits[policy].argmax(1), logits[policy].shape[1]
        accuracy[policy] = float(tally(answers, predicted, labels).balanced_accuracy)
        by_set = tally_by_set(answers, predicted, labels, sets)
        replicates[policy] = resampled(by_set, REPLICATES, seed).balanced_accuracy
    best = max(ordered, key=lambda policy: accuracy[policy])
    tried = {
        policy: PolicyScore(
            balanced_accuracy=accuracy[policy],
            standard_error=float(np.std(replicates[best] - replicates[policy], ddof=1)),
        )
        for policy in ordered
    }
    chosen = next(p for p in ordered if accuracy[best] - accuracy[p] <= tried[p].standard_error)
    return Imbalance(policy=chosen, tried=tried, why=_reason(chosen, best, tried))


def _reason(chosen: str, best: str, tried: Mapping[str, PolicyScore]) -> str:
    own = f"{tried[chosen].balanced_accuracy:.3f}"
    others = ", ".join(
        f"{policy} {score.balanced_accuracy:.3f} (difference ± {score.standard_error:.3f})"
        for policy, score in tried.items()
        if policy != chosen
    )
    if chosen == best:
        return f"{chosen} has the best balanced accuracy in folds, {own}, against {others}"
    gap = tried[best].balanced_accuracy - tried[chosen].balanced_accuracy
    return (
        f"{chosen} is the first of the policies within one standard error of the best in folds: {own}, "
        f"{gap:.3f} ± {tried[chosen].standard_error:.3f} below {best}"
    )


def weighing(kind: str, policy: str) -> str:
    """Return how a kind of candidate weighs photos under a policy: `none`, all alike; or `balanced`, labels alike.

    Logit adjustment and focal loss change the loss of `linear`. Other kinds reach the same end, labels that count
    alike, by weights: of photos in `svm` and `mlp`, of votes in `knn`, and of the labels themselves in `naive-bayes`,
    whose priors are then equal; that is what logit adjustment does to a model that knows the labels' shares.
    """
    return NONE if policy == NONE or (kind == "linear" and policy == ADJUSTED) else BALANCED


def log_shares(weights: Array) -> Array:
    """Logarithm of each label's share of the total weight, shape (K,), from those weights; a share of 0 counts as 1."""
    shares = weights / max(float(weights.sum()), np.finfo(np.float64).tiny)
    return np.asarray(np.log(np.where(shares > 0, shares, 1.0)))


def focal(
    logits: "torch.Tensor", answers: "torch.Tensor", weights: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Focal loss -(1 - p)² log p of the true label's probability p, and its gradient with respect to the logits.

    Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", 2017, arXiv 1708.02002, with γ = 2:
    photos that are answered well hardly count. A loss of `batched_lbfgs`, whose weights are the paper's α.
    """
    logs = logits.log_softmax(0)
    rows = answers[None]
    log = logs.gather(0, rows)[0]
    probability = log.exp()
    rest = 1 - probability
    loss = -((rest.square() * log).double() * weights).sum()
    slope = rest.square() - 2 * probability * rest * log  # minus the derivative by log p
    gradient = logs.exp_()  # in place: the logarithms are not needed any more
    gradient.scatter_add_(0, rows, gradient.new_full((1, 1), -1.0).expand(1, len(answers)))
    return loss, gradient.mul_(slope * weights)
