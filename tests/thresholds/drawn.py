"""Scores and labels that are drawn."""

import numpy as np


def draw_scores(num_samples=200, num_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, num_classes)) < 0.2).astype(np.int8)
    logits = rng.normal(size=labels.shape) + 2 * labels - 1.5
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels


def draw_network(num_samples=600, num_classes=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, num_classes)) < np.linspace(0.02, 0.4, num_classes)).astype(np.int8)
    logits = rng.normal(size=labels.shape) + 2 * labels - 2
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels
