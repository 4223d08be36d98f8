"""Batched L-BFGS: one optimiser for many convex problems at once, the linear heads that share their photos.

All heads of a lane, each with every strength of regularisation, are columns of one parameter matrix; a pass over the
photos is one matrix product for all of them. Heads may have different numbers of labels: columns belong to problems,
nothing is padded. docs/decisions/0021-batched-optimiser.md compares it with libraries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.train.torch_threads import cores_for

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]
Floats = NDArray[np.float32]

MAX_ITERATIONS = 100  # heads converge in 10 to 60

_ROWS = 4096  # photos per block: bounds the table of photos × columns
# Of Nocedal & Wright, "Numerical Optimization", 2nd ed., sections 7.2 and 3.1.
_HISTORY = 10  # pairs of steps and gradient differences
_ARMIJO = 1e-4  # share of the predicted decrease that a step must achieve
_SMALLEST_STEP = 1e-6  # below it float32 rounding is larger than the decrease

# (logits (K, n), answers (n,), weights (n,)) -> (loss, its gradient with respect to the logits)
Loss = Callable[["torch.Tensor", "torch.Tensor", "torch.Tensor"], "tuple[torch.Tensor, torch.Tensor]"]


Start = tuple[Floats, Floats]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problems:
    """Linear heads to fit together on the same photos.

    Problem b minimises Σ_i weight_i · loss(W x_i + c, answer_i) + penalty_b / 2 · ‖W‖²; the bias c is not penalised.

    Attributes:
        points: Photos, float32, shape (N, P).
        repeats: Further tables of the same photos in the same order (augmented views), each (N, P).
        answers: Label indices, int64, shape (N, S); those of weight 0 are ignored.
        weights: Weight of each photo, float32, shape (N, S), each column summing to 1.
        labels: Number of labels of each of the S skills.
        penalties: Strengths of regularisation of each skill, each > 0; the skill is fitted once with each.
        repeat_answers: Label indices of each repeat, where they differ from `answers`; empty: those of the photos.
        repeat_weights: Weights of each repeat; empty: those of the photos.
        starts: Weight (K, P) and bias (K,) of each skill from which all its fits start, None for zeros; empty: zeros
            for all. The problems are convex: they affect the speed and the rounding only.
        curvature: Rough second derivative of the loss by a logit; it affects the speed only.
    """

    points: Floats
    repeats: tuple[Floats, ...] = ()
    answers: Array
    weights: Floats
    labels: tuple[int, ...]
    penalties: tuple[tuple[float, ...], ...]
    repeat_answers: Sequence[Array] = ()
    repeat_weights: Sequence[Floats] = ()
    starts: Sequence[Start | None] = ()
    curvature: float = 0.1


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted linear head.

    Attributes:
        weight: float32, shape (K, P).
        bias: float32, shape (K,).
        iterations: Number of iterations.
        converged: True if the gradient became small; False if the iterations or the precision ran out.
    """

    weight: Floats
    bias: Floats
    iterations: int
    converged: bool


def cross_entropy(
    logits: "torch.Tensor", answers: "torch.Tensor", weights: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Multinomial logistic loss and its gradient with respect to the logits."""
    logs = logits.log_softmax(0)
    rows = answers[None]
    loss = -(logs.gather(0, rows)[0].double() * weights).sum()
    gradient = logs.exp_()  # in place: the logarithms are not needed any more
    gradient.scatter_add_(0, rows, gradient.new_full((1, 1), -1.0).expand(1, len(answers)))
    return loss, gradient.mul_(weights)


def squared_hinge(
    logits: "torch.Tensor", answers: "torch.Tensor", weights: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Squared hinge loss of each label against the rest, summed over labels, and its gradient by the logits."""
    sign = logits.new_full(logits.shape, -1.0)
    sign.scatter_(0, answers[None], 1.0)
    margin = (1 - sign * logits).clamp_(min=0)
    loss = (margin.square().sum(0).double() * weights).sum()
    return loss, margin.mul_(sign).mul_(weights).mul_(-2)


def fit_linear(
    problems: Problems, loss: Loss | Sequence[Loss], *, max_iterations: int, tolerance: float = 5e-4
) -> list[list[Fit]]:
    """Fit every skill with each of its penalties.

    L-BFGS (Nocedal, 1980, doi:10.1090/S0025-5718-1980-0572855-7) with Armijo backtracking; every problem has its own
    step and history. Each axis is first scaled by the root of its expected curvature, the variance of the points
    along it times `curvature` plus the penalty. Along principal axes that makes the problem nearly isotropic.

    Args:
        problems: The heads to fit.
        loss: `cross_entropy`, `squared_hinge` or one like them; or that of each skill.
        max_iterations: Maximum number of iterations.
        tolerance: Ratio of the norm of a problem's scaled gradient to that at the start, at which it is done.

    Returns:
        One list per skill, with one fit per penalty.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    columns = sum(size * len(row) for size, row in zip(problems.labels, problems.penalties, strict=True))
    with torch.inference_mode(), cores_for(problems.points.size * columns):
        objective = _Objective(problems, loss, device)
        parameters, iterations, converged = _minimise(objective, max_iterations, tolerance)
        solution = (parameters * objective.scale).cpu().numpy()
    fits: list[list[Fit]] = []
    column, number = 0, 0
    for size, penalties in zip(problems.labels, problems.penalties, strict=True):
        row = []
        for _ in penalties:
            block = solution[:, column : column + size]
            row.append(
                Fit(
                    weight=np.ascontiguousarray(block[:-1].T),
                    bias=np.ascontiguousarray(block[-1]),
                    iterations=int(iterations[number]),
                    converged=bool(converged[number]),
                )
            )
            column, number = column + size, number + 1
        fits.append(row)
    return fits


class _Objective:
    """Losses and gradients of all problems; the parameters are a matrix of P + 1 rows, the last for the bias."""

    def __init__(self, problems: Problems, loss: Loss | Sequence[Loss], device: "torch.device") -> None:
        import torch

        self.losses = loss if isinstance(loss, Sequence) else (loss,) * len(problems.labels)
        self.tables = [torch.from_numpy(table).to(device) for table in (problems.points, *problems.repeats)]
        # Photos without an answer have weight 0; index 0 instead of -1 keeps `gather` and `scatter` within the labels.
        self.answers = self._of_tables(
            problems.answers, problems.repeat_answers, lambda answers: answers.clip(min=0), device
        )
        self.weights = self._of_tables(
            problems.weights, problems.repeat_weights, lambda weights: weights / len(self.tables), device
        )
        sizes = [size for size, row in zip(problems.labels, problems.penalties, strict=True) for _ in row]
        self.skill = [skill for skill, row in enumerate(problems.penalties) for _ in row]
        self.ends = np.cumsum(sizes).tolist()
        self.starts = [end - size for end, size in zip(self.ends, sizes, strict=True)]
        self.owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)).to(device)
        penalty = torch.tensor([p for row in problems.penalties for p in row], dtype=torch.float32, device=device)
        variance = self.tables[0].square().mean(0)
        self.penalty = penalty[self.owner]
        curvature = problems.curvature * torch.cat([variance, variance.new_ones(1)])[:, None]
        floor = torch.cat([self.penalty.expand(len(variance), -1), self.penalty.new_zeros(1, len(self.owner))])
        self.scale = (curvature + floor).rsqrt()
        self.start = self._scaled(problems)

    def _scaled(self, problems: Problems) -> "torch.Tensor | None":
        """Return the scaled parameters (P + 1, C) to start from; None for zeros."""
        import torch

        if not any(start is not None for start in problems.starts):
            return None
        blocks = []
        for size, row, start in zip(problems.labels, problems.penalties, problems.starts, strict=True):
            block = np.zeros((problems.points.shape[1] + 1, size), np.float32)
            if start is not None:
                block[:-1], block[-1] = start[0].T, start[1]
            blocks += [block] * len(row)
        return torch.from_numpy(np.concatenate(blocks, axis=1)).to(self.scale.device) / self.scale

    def _of_tables(
        self, first: Array, others: Sequence[Array], prepared: Callable[[Array], Array], device: "torch.device"
    ) -> "list[torch.Tensor]":
        """Return what belongs to each table as a tensor (S, N); where all are alike, they share its memory."""
        import torch

        each: dict[int, torch.Tensor] = {}
        arrays = (first, *(others or (first,) * (len(self.tables) - 1)))
        for array in arrays:
            if id(array) not in each:
                each[id(array)] = torch.from_numpy(prepared(np.ascontiguousarray(array.T))).to(device)
        return [each[id(array)] for array in arrays]

    @property
    def count(self) -> int:
        return len(self.ends)

    def dot(self, left: "torch.Tensor", right: "torch.Tensor") -> "torch.Tensor":
        """Inner product per problem, float64, shape (B,)."""
        products = (left * right).sum(0, dtype=left.dtype).double()
        return products.new_zeros(self.count).index_add_(0, self.owner, products)

    def __call__(self, scaled: "torch.Tensor", active: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """Return losses, float64 (B,), and scaled gradients (P + 1, C) of the active problems; zeros for the others."""
        import torch

        columns = active[self.owner].nonzero()[:, 0]
        whole = len(columns) == len(self.owner)
        parameters = scaled * self.scale
        part = parameters if whole else parameters[:, columns]
        gradient = torch.zeros_like(part)
        losses = [scaled.new_zeros((), dtype=torch.float64) for _ in range(self.count)]
        blocks: list[tuple[int, int, int]] = []
        start = 0
        for problem in active.nonzero()[:, 0].tolist():
            end = start + self.ends[problem] - self.starts[problem]
            blocks.append((problem, start, end))
            start = end
        for table, answers, weights in zip(self.tables, self.answers, self.weights, strict=True):
            for first in range(0, len(table), _ROWS):
                rows = slice(first, first + _ROWS)
                # labels × photos: the softmax across labels is ten times as fast when photos are contiguous
                logits = torch.addmm(part[-1][:, None], part[:-1].T, table[rows].T)
                for problem, begin, end in blocks:
                    skill = self.skill[problem]
                    value, slope = self.losses[skill](logits[begin:end], answers[skill, rows], weights[skill, rows])
                    losses[problem] += value
                    logits[begin:end] = slope
                gradient[:-1].addmm_(table[rows].T, logits.T)
                gradient[-1] += logits.sum(1)
        gradient[:-1] += self.penalty[columns] * part[:-1]
        full = gradient if whole else torch.zeros_like(scaled).index_copy_(1, columns, gradient)
        total = torch.stack(losses) + 0.5 * self.dot(parameters[:-1], self.penalty * parameters[:-1]) * active
        return total, full * self.scale


def _minimise(
    objective: _Objective, max_iterations: int, tolerance: float
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """Minimise all problems: parameters (P + 1, C), iterations (B,), and whether each problem converged (B,)."""
    import torch

    point = torch.zeros_like(objective.scale)
    active = torch.ones(objective.count, dtype=torch.bool, device=point.device)
    value, gradient = objective(point, active)
    first = objective.dot(gradient, gradient).sqrt()
    if objective.start is not None:
        point = objective.start
        value, gradient = objective(point, active)
    iterations = torch.zeros(objective.count, dtype=torch.int64, device=point.device)
    history: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    active = objective.dot(gradient, gradient).sqrt() > tolerance * first
    converged = ~active
    for _ in range(max_iterations):
        if not active.any():
            break
        iterations += active
        direction = _direction(objective, gradient, history)
        slope = objective.dot(direction, gradient)
        step, new_value, new_gradient = _search(objective, point, value, direction, slope, active)
        moved = (step > 0) & active
        change = direction * (step * moved)[objective.owner].to(direction.dtype)
        difference = (new_gradient - gradient) * moved[objective.owner]
        history.append((change, difference, objective.dot(change, difference)))
        del history[:-_HISTORY]
        point = point + change
        value = torch.where(moved, new_value, value)
        gradient = gradient + difference
        small = objective.dot(gradient, gradient).sqrt() <= tolerance * first
        converged |= active & small
        active = active & ~small & moved  # without a step, the loss is at its minimum up to float32 rounding
    return point, iterations, converged


def _direction(
    objective: _Objective, gradient: "torch.Tensor", history: "list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]"
) -> "torch.Tensor":
    """Minus the inverse Hessian times the gradient, by the two-loop recursion; zeros where a problem did not move."""
    import torch

    def along(factor: torch.Tensor) -> torch.Tensor:
        return factor[objective.owner].to(gradient.dtype)

    direction = -gradient
    factors = []
    for change, difference, curvature in reversed(history):
        usable = curvature > 0
        alpha = torch.where(usable, objective.dot(change, direction) / curvature, 0.0)
        direction = direction - along(alpha) * difference
        factors.append((alpha, usable))
    if history:
        _, difference, curvature = history[-1]
        norm = objective.dot(difference, difference)
        direction = direction * along(torch.where((curvature > 0) & (norm > 0), curvature / norm, 1.0))
    for (change, difference, curvature), (alpha, usable) in zip(history, reversed(factors), strict=True):
        beta = torch.where(usable, objective.dot(difference, direction) / curvature, 0.0)
        direction = direction + along(alpha - beta) * change
    return direction


def _search(
    objective: _Objective,
    point: "torch.Tensor",
    value: "torch.Tensor",
    direction: "torch.Tensor",
    slope: "torch.Tensor",
    active: "torch.Tensor",
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """Find the first step of 1, 1/2, 1/4 … that lowers each problem enough (Armijo, 1966, doi:10.2140/pjm.1966.16.1).

    Returns steps (B,), 0 where none is good, and the losses (B,) and scaled gradients (P + 1, C) after them.
    """
    import torch

    step = torch.where(active & (slope < 0), 1.0, 0.0).double()
    open_ = step > 0
    best_value, best_gradient = value.clone(), torch.zeros_like(point)
    while open_.any():
        trial = point + direction * step[objective.owner].to(point.dtype)
        new_value, new_gradient = objective(trial, open_)
        # Losses are of the order of 1: differences below 1e-7 of them are float32 rounding of the logits.
        good = open_ & (new_value <= value + _ARMIJO * step * slope + 1e-7 * value.abs())
        best_value = torch.where(good, new_value, best_value)
        best_gradient = torch.where(good[objective.owner], new_gradient, best_gradient)
        open_ = open_ & ~good
        step = torch.where(open_, step / 2, step)
        stuck = open_ & (step < _SMALLEST_STEP)
        step = torch.where(stuck, 0.0, step)
        open_ = open_ & ~stuck
    return step, best_value, best_gradient
