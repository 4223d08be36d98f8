"""The batched optimiser of the linear heads beside scikit-learn and torch.optim.LBFGS, for 5 and 35 skills in one run.

    python benchmarks/optimisers.py [--photos 2000] [--components 512] [--skills 5 35] [--rounds 3]

All fit the same heads: five labels per skill, each skill with the five penalties of the candidate `linear`. `gap` is
the largest relative excess of a head's loss over the lowest loss that any of them reached, computed in float64. Each
method has one thread, so that a busy machine disturbs none more than another, and the times are the best of the rounds.
Features are drawn, with variances that fall like those of a backbone's principal components.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from components.train.batched_lbfgs import MAX_ITERATIONS, Problems, cross_entropy, fit_linear
from components.train.linear import PENALTIES

LABELS = 5
Array = NDArray[Any]
Heads = list[list[tuple[Array, Array]]]  # by skill and penalty: weight (K, P) and bias (K,)


def draw(photos: int, components: int, skills: int) -> Problems:
    """Draw photos and the answers of `skills` skills, each with linear logits and noise."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(photos, components)) * np.geomspace(5, 0.1, components)
    truth = rng.normal(size=(skills, components, LABELS)) / np.sqrt(components)
    logits = np.einsum("np,spk->nsk", points, truth)
    return Problems(
        points=points.astype(np.float32),
        answers=(2 * logits + rng.gumbel(size=logits.shape)).argmax(2),
        weights=np.full((photos, skills), 1 / photos, np.float32),
        labels=(LABELS,) * skills,
        penalties=(PENALTIES,) * skills,
    )


def batched(problems: Problems) -> Heads:
    """Fit with the batched optimiser."""
    fits = fit_linear(problems, cross_entropy, max_iterations=MAX_ITERATIONS)
    return [[(fit.weight, fit.bias) for fit in row] for row in fits]


def scikit_learn(problems: Problems) -> Heads:
    """Fit head after head with scikit-learn, its own tolerance."""
    heads: Heads = []
    for skill in range(len(problems.labels)):
        row = []
        for penalty in PENALTIES:
            model = LogisticRegression(C=1 / penalty, max_iter=MAX_ITERATIONS)
            model.fit(problems.points, problems.answers[:, skill], sample_weight=problems.weights[:, skill])
            row.append((model.coef_, model.intercept_))
        heads.append(row)
    return heads


def torch_each(problems: Problems) -> Heads:
    """Fit head after head with torch.optim.LBFGS."""
    skills = range(len(problems.labels))
    return [[_torch(problems, [(skill, penalty)])[0] for penalty in PENALTIES] for skill in skills]


def torch_together(problems: Problems) -> Heads:
    """Fit all heads as one problem with torch.optim.LBFGS: one step and one history for the sum of their losses."""
    heads = _torch(problems, [(skill, penalty) for skill in range(len(problems.labels)) for penalty in PENALTIES])
    return [heads[start : start + len(PENALTIES)] for start in range(0, len(heads), len(PENALTIES))]


def _torch(problems: Problems, chosen: list[tuple[int, float]]) -> list[tuple[Array, Array]]:
    points, answers = torch.from_numpy(problems.points), torch.from_numpy(problems.answers)
    weight = torch.zeros(points.shape[1], len(chosen) * LABELS, requires_grad=True)
    bias = torch.zeros(len(chosen) * LABELS, requires_grad=True)
    penalties = torch.tensor([penalty for _, penalty in chosen]).repeat_interleave(LABELS)
    targets = answers[:, [skill for skill, _ in chosen]]
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_ITERATIONS, history_size=10, line_search_fn="strong_wolfe", tolerance_grad=1e-5
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logits = (points @ weight + bias).view(len(points), len(chosen), LABELS)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        loss = loss / len(points) + 0.5 * (penalties * weight.square()).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)
    columns = [slice(start, start + LABELS) for start in range(0, len(bias), LABELS)]
    return [(weight[:, column].T.detach().numpy(), bias[column].detach().numpy()) for column in columns]


def losses(problems: Problems, heads: Heads) -> Array:
    """Loss of every head, float64, shape (skills, penalties)."""
    points, rows = problems.points.astype(np.float64), np.arange(len(problems.points))
    values = np.empty((len(heads), len(PENALTIES)))
    for skill, row in enumerate(heads):
        for column, (weight, bias) in enumerate(row):
            logits = points @ weight.T.astype(np.float64) + bias
            logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
            regularisation = 0.5 * PENALTIES[column] * float((weight.astype(np.float64) ** 2).sum())
            values[skill, column] = -logits[rows, problems.answers[:, skill]].mean() + regularisation
    return values


METHODS: dict[str, Callable[[Problems], Heads]] = {
    "batched L-BFGS": batched,
    "torch.optim.LBFGS, all heads as one": torch_together,
    "torch.optim.LBFGS, head after head": torch_each,
    "scikit-learn, head after head": scikit_learn,
}


def main() -> None:
    """Draw, fit with all methods by turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument("--skills", type=int, nargs="+", default=[5, 35])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{arguments.photos} photos, {arguments.components} components, one thread")
    for skills in arguments.skills:
        problems = draw(arguments.photos, arguments.components, skills)
        wall, cpu, reached = {}, {}, {}
        for _ in range(arguments.rounds):
            for name, method in METHODS.items():
                started, used = time.perf_counter(), time.process_time()
                with threadpool_limits(1):
                    heads = method(problems)
                wall[name] = min(wall.get(name, np.inf), time.perf_counter() - started)
                cpu[name] = min(cpu.get(name, np.inf), time.process_time() - used)
                reached[name] = losses(problems, heads)
        best = np.min(list(reached.values()), axis=0)
        print(f"\n{skills} skills, {skills * len(PENALTIES)} heads of {LABELS} labels")
        print(f"{'':<38}{'wall s':>8}{'CPU s':>8}{'gap':>10}")
        for name in METHODS:
            gap = float((reached[name] / best - 1).max())
            print(f"{name:<38}{wall[name]:>8.2f}{cpu[name]:>8.2f}{gap:>10.1e}")


if __name__ == "__main__":
    main()
