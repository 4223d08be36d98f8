"""The linear heads of a lane, fitted together, beside scikit-learn's LogisticRegressionCV, one head after another.

    python benchmarks/training/linear_heads.py [--photos 2000] [--components 512] [--skills 35] [--labels 5]

All choose among the same strengths of regularisation by the log loss, and fit the chosen one again on training and
validation photos together; the balanced accuracy is that on 2,000 further photos that none has seen. The batched heads
choose on validation photos. scikit-learn chooses on the same photos, which is the same work, and by its own default of
five folds of all photos, which is four times as much. Each has one thread.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import PredefinedSplit
from threadpoolctl import threadpool_limits

from components.train import linear
from components.train.config import TrainConfig
from components.train.lane import Lane
from components.train.reduction import Reduction

Floats = NDArray[np.float32]
_TESTED = 2000


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points of training, validation and test photos, one table, and their labels, shape (photos, skills)."""

    points: Floats
    answers: NDArray[np.int64]
    train: int
    learnt: int  # training and validation photos, which come first

    def lane(self, labels: int) -> Lane:
        """Return the lane of all skills."""
        held = self.learnt - self.train
        return Lane(
            labels={f"skill-{number:02}": tuple(map(str, range(labels))) for number in range(self.answers.shape[1])},
            train=self.points[: self.train],
            views=(),
            answers=self.answers[: self.train],
            train_sets=np.arange(self.train),
            validation=self.points[self.train : self.learnt],
            validation_answers=self.answers[self.train : self.learnt],
            validation_sets=np.arange(held),
        )


def draw(photos: int, components: int, skills: int, labels: int) -> Drawn:
    """Draw points whose variances fall as those of principal axes, and labels that are nearly linear in them."""
    random = np.random.default_rng(0)
    scale = 3 / np.sqrt(1 + np.arange(components))
    points = (random.normal(size=(photos + _TESTED, components)) * scale).astype(np.float32)
    answers = []
    for _ in range(skills):
        scores = points @ random.normal(size=(components, labels))
        answers.append((scores + random.gumbel(size=scores.shape) * scores.std() / 3).argmax(1))
    return Drawn(points, np.stack(answers, axis=1), photos * 4 // 5, photos)


def batched(drawn: Drawn, labels: int) -> list[NDArray[np.int64]]:
    """Fit all heads together; return their answers to the test photos."""
    lane, config = drawn.lane(labels), TrainConfig()
    components = drawn.points.shape[1]
    none = Reduction(np.zeros(components, np.float32), np.eye(components, dtype=np.float32), np.ones(components), 1.0)
    chosen = linear.fit(lane, none, config)
    settings = {skill: candidate.parameters for skill, candidate in chosen.items()}
    heads = linear.fit(lane.joined(), none, config, settings)
    tested = drawn.points[drawn.learnt :]
    return [(tested @ head.arrays["weight"].T + head.arrays["bias"]).argmax(1) for head in heads.values()]


def one_after_another(drawn: Drawn, folds: int) -> list[NDArray[np.int64]]:
    """Fit head after head with scikit-learn in folds, or with 0 on the validation photos; return the test answers."""
    points, tested = drawn.points[: drawn.learnt], drawn.points[drawn.learnt :]
    split = folds or PredefinedSplit(np.where(np.arange(drawn.learnt) < drawn.train, -1, 0))
    answered = []
    for own in drawn.answers[: drawn.learnt].T:
        # its C multiplies the sum over photos, our penalty stands beside their mean
        model = LogisticRegressionCV(
            Cs=[1 / (penalty * drawn.learnt) for penalty in linear.PENALTIES],
            cv=split,
            scoring="neg_log_loss",
            class_weight="balanced",
            max_iter=100,
            l1_ratios=(0,),
            use_legacy_attributes=False,
        )
        answered.append(model.fit(points, own).predict(tested))
    return answered


def main() -> None:
    """Draw, fit both by turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument("--skills", type=int, default=35)
    parser.add_argument("--labels", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    drawn = draw(arguments.photos, arguments.components, arguments.skills, arguments.labels)
    methods = {
        "batched": lambda: batched(drawn, arguments.labels),
        "LogisticRegressionCV, same validation": lambda: one_after_another(drawn, 0),
        "LogisticRegressionCV, five folds": lambda: one_after_another(drawn, 5),
    }
    cpu_s, accuracies = dict.fromkeys(methods, np.inf), {}
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for _ in range(arguments.rounds):
            for name, method in methods.items():
                used = time.process_time()
                answered = method()
                cpu_s[name] = min(cpu_s[name], time.process_time() - used)
                truth = drawn.answers[drawn.learnt :].T
                accuracies[name] = [balanced_accuracy_score(*pair) for pair in zip(truth, answered, strict=True)]
    print(f"{arguments.skills} heads of {arguments.labels} labels, {arguments.photos} photos, {arguments.components} "
          "components, one thread\n")  # fmt: skip
    print(f"{'':<40}{'CPU s':>8}{'balanced accuracy':>19}{'ratio of time':>15}{'points apart':>14}")
    own, *_ = methods
    for name in methods:
        apart = 100 * (np.mean(accuracies[own]) - np.mean(accuracies[name]))
        print(
            f"{name:<40}{cpu_s[name]:>8.1f}{np.mean(accuracies[name]):>19.4f}{cpu_s[name] / cpu_s[own]:>15.1f}"
            f"{apart:>+14.2f}"
        )
    print("\naims: a ratio of 10, with at most 0.2 points less")


if __name__ == "__main__":
    main()
