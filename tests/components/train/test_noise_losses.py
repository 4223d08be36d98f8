"""Losses that stand wrong labels: their gradients, their limits, and what they learn from noisy labels."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from components.train import noise_losses
from components.train.batched_lbfgs import cross_entropy
from components.train.noise_losses import forward_correction, generalised_cross_entropy

TRANSITION = np.array([[0.8, 0.15, 0.05], [0.1, 0.9, 0.0], [0.02, 0.08, 0.9]])


def arguments(photos=40, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(labels, photos)) * 3)
    return logits, torch.from_numpy(rng.integers(0, labels, photos)), torch.from_numpy(rng.random(photos))


def reference(name, logits, answers, weights):
    probabilities = torch.softmax(logits, 0)
    if name == "forward":
        noisy = torch.from_numpy(TRANSITION.T.astype(np.float32)).double() @ probabilities
        return -(noisy.gather(0, answers[None])[0].log() * weights).sum()
    own = probabilities.gather(0, answers[None])[0]
    return ((1 - own**0.7) / 0.7 * weights).sum()


@pytest.mark.parametrize("name", ["generalised", "forward"])
def test_losses_and_gradients_are_those_of_the_formulas(name):
    logits, answers, weights = arguments()
    logits.requires_grad_()
    expected = reference(name, logits, answers, weights)
    expected.backward()
    loss = generalised_cross_entropy if name == "generalised" else forward_correction(TRANSITION)
    value, gradient = loss(logits.detach().clone(), answers, weights)
    assert_allclose(value, expected.detach(), rtol=1e-6)
    assert_allclose(gradient, logits.grad, atol=1e-7)


def test_without_wrong_labels_the_corrected_loss_is_the_cross_entropy():
    logits, answers, weights = arguments()
    value, gradient = forward_correction(np.eye(3))(logits.clone(), answers, weights)
    expected, slope = cross_entropy(logits.clone(), answers, weights)
    assert_allclose(value, expected)
    assert_allclose(gradient, slope, atol=1e-7)


def test_the_generalised_loss_tends_to_the_cross_entropy(monkeypatch):
    monkeypatch.setattr(noise_losses, "Q", 1e-6)
    logits, answers, weights = arguments()
    value, gradient = generalised_cross_entropy(logits.clone(), answers, weights)
    expected, slope = cross_entropy(logits.clone(), answers, weights)
    assert_allclose(value, expected, rtol=1e-4)
    assert_allclose(gradient, slope, atol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_extreme_logits_give_finite_gradients(scale):
    logits, answers, weights = arguments()
    positive = np.maximum(TRANSITION, 1e-4)
    for loss in (generalised_cross_entropy, forward_correction(positive)):
        value, gradient = loss((logits * scale).float(), answers, weights.float())
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
