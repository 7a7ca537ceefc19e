"""A small neural network that really learns: it classifies points of three noisy spirals.

Every iteration draws new points, so it never overfits, and everything that could grow is bounded: it can train forever.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Optimizer = Literal["adam", "sgd"]

SPIRALS = 3
LAYER_SIZES = (2, 64, 64, SPIRALS)
BATCH_SIZE = 96
VALIDATION_SIZE = 600
TARGET_ITERATION = 1_000_000
TURNS = 1.5
NOISE = 0.045
MAX_GRAD_NORM = 5.0
# Also keeps gradients away from zero, and the optimiser's averages out of the slow range of denormal numbers.
WEIGHT_DECAY = 1e-4
MOMENTUM = 0.9
ADAM_SQUARE_DECAY = 0.999
ADAM_EPSILON = 1e-8


@dataclass(frozen=True)
class LearningRate:
    """A learning rate that rises to ``peak``, falls along a cosine to ``floor`` and stays there."""

    peak: float
    floor: float
    warm_up_iterations: int = 200
    decay_iterations: int = 20_000

    def at(self, iteration: int) -> float:
        """Return the learning rate of ``iteration``, counted from 1."""
        if iteration <= self.warm_up_iterations:
            return self.peak * iteration / self.warm_up_iterations
        progress = (iteration - self.warm_up_iterations) / (self.decay_iterations - self.warm_up_iterations)
        return self.floor + (self.peak - self.floor) * (1 + cos(pi * min(progress, 1.0))) / 2


LEARNING_RATES = {"adam": LearningRate(peak=5e-3, floor=5e-4), "sgd": LearningRate(peak=0.05, floor=0.005)}


class SpiralModel:
    """A perceptron with two hidden layers, its optimiser and the generator of its data.

    Two models with the same ``seed`` and ``optimizer`` give the same numbers, except for measured times.
    """

    def __init__(self, optimizer: Optimizer = "adam", seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._optimizer = optimizer
        self._learning_rate = LEARNING_RATES[optimizer]
        self._validation = self._draw_points(VALIDATION_SIZE)
        # One flat array each, so that norm and update are one operation; the layers are views into it.
        self._params = np.concatenate([self._draw_layer(*sizes) for sizes in _layer_shapes()])
        self._layers = list(_split_layers(self._params))
        self._gradient = np.zeros_like(self._params)
        self._layer_gradients = list(_split_layers(self._gradient))
        self._mean = np.zeros_like(self._params)
        self._mean_square = np.zeros_like(self._params)
        self.iteration = 0

    def train_iteration(self) -> dict[str, float]:
        """Train on one batch of new points and return the iteration's metrics (times in milliseconds)."""
        started = perf_counter()
        self.iteration += 1
        points, labels = self._draw_points(BATCH_SIZE)
        activations = self._forward(points)
        loss, accuracy, probabilities = _judge(activations[-1], labels)
        grad_norm = self._backward(activations, probabilities, labels)
        learning_rate = self._learning_rate.at(self.iteration)
        self._update(learning_rate)
        seconds = perf_counter() - started
        return {
            "loss": loss,
            "accuracy": accuracy,
            "grad_norm": grad_norm,
            "learning_rate": learning_rate,
            "params_norm": _norm(self._params),
            "elapsed_time_per_iteration_ms": seconds * 1000,
            "samples_per_second": BATCH_SIZE / seconds,
            "consumed_samples": self.iteration * BATCH_SIZE,
            "target_iteration": TARGET_ITERATION,
        }

    def validate(self) -> dict[str, float]:
        """Return loss and accuracy on points that are not used for training."""
        points, labels = self._validation
        loss, accuracy, _ = _judge(self._forward(points)[-1], labels)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def measure_layers(self) -> dict[str, float]:
        """Return the norms of each layer's weights and of their latest gradients, layers counted from 1."""
        norms = {}
        for number, (layer, gradient) in enumerate(zip(self._layers, self._layer_gradients, strict=True), start=1):
            norms[f"weights/layer{number}_norm"] = _norm(layer[0])
            norms[f"gradients/layer{number}_norm"] = _norm(gradient[0])
        return norms

    def _draw_points(self, count: int) -> tuple[Array, Labels]:
        """Draw ``count`` points, shape (count, 2), and the spirals they lie on, shape (count,)."""
        labels = self._random.integers(SPIRALS, size=count)
        radius = np.sqrt(self._random.uniform(0.01, 1.0, count))
        angle = 2 * pi * (TURNS * radius + labels / SPIRALS)
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return points + self._random.normal(0.0, NOISE, points.shape), labels

    def _draw_layer(self, inputs: int, outputs: int) -> Array:
        """Draw the first parameters of a layer, flat: its weights (inputs x outputs), then its biases."""
        weights = self._random.normal(0.0, inputs**-0.5, inputs * outputs)
        return np.concatenate([weights, np.zeros(outputs)])

    def _forward(self, points: Array) -> list[Array]:
        """Return the input of each layer and, last, the logits, shape (len(points), SPIRALS)."""
        activations = [points]
        for weights, biases in self._layers[:-1]:
            activations.append(np.tanh(activations[-1] @ weights + biases))
        weights, biases = self._layers[-1]
        return [*activations, activations[-1] @ weights + biases]

    def _backward(self, activations: list[Array], probabilities: Array, labels: Labels) -> float:
        """Fill the gradient, clipped to MAX_GRAD_NORM; return its norm before that."""
        delta = probabilities / len(labels)
        delta[np.arange(len(labels)), labels] -= 1 / len(labels)
        for index in reversed(range(len(self._layers))):
            weights_gradient, biases_gradient = self._layer_gradients[index]
            np.matmul(activations[index].T, delta, out=weights_gradient)
            np.sum(delta, axis=0, out=biases_gradient)
            if index:
                delta = (delta @ self._layers[index][0].T) * (1 - activations[index] ** 2)
        self._gradient += WEIGHT_DECAY * self._params
        norm = _norm(self._gradient)
        if norm > MAX_GRAD_NORM:
            self._gradient *= MAX_GRAD_NORM / norm
        return norm

    def _update(self, learning_rate: float) -> None:
        """Move the parameters against the gradient, by Adam or by momentum."""
        if self._optimizer == "sgd":
            self._mean = MOMENTUM * self._mean + self._gradient
            self._params -= learning_rate * self._mean
            return
        self._mean = MOMENTUM * self._mean + (1 - MOMENTUM) * self._gradient
        self._mean_square = ADAM_SQUARE_DECAY * self._mean_square + (1 - ADAM_SQUARE_DECAY) * self._gradient**2
        mean = self._mean / (1 - MOMENTUM**self.iteration)
        mean_square = self._mean_square / (1 - ADAM_SQUARE_DECAY**self.iteration)
        self._params -= learning_rate * mean / (np.sqrt(mean_square) + ADAM_EPSILON)


def _layer_shapes() -> Iterator[tuple[int, int]]:
    return pairwise(LAYER_SIZES)


def _split_layers(flat: Array) -> Iterator[tuple[Array, Array]]:
    """Yield views of each layer's weights, shape (inputs, outputs), and biases, shape (outputs,)."""
    start = 0
    for inputs, outputs in _layer_shapes():
        end = start + inputs * outputs
        yield flat[start:end].reshape(inputs, outputs), flat[end : end + outputs]
        start = end + outputs


def _judge(logits: Array, labels: Labels) -> tuple[float, float, Array]:
    """Return the mean cross-entropy, the share of right answers and the probabilities of each spiral."""
    # Subtract the greatest logit, since exp would overflow otherwise.
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    losses = np.log(totals[:, 0]) - shifted[np.arange(len(labels)), labels]
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    return float(losses.mean()), float(accuracy), exponentials / totals


def _norm(values: Array) -> float:
    return float(np.linalg.norm(values))
