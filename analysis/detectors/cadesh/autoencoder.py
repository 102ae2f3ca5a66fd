"""Step 1: how badly a small network that learnt usual flows redraws each flow.

The network of scikit-learn is part of the core; that of torch stands behind the extra
`deep` and answers to the same contract: `learn(x)`, `redrawn(x)`, `arrays()`.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np

from analysis.detectors.cadesh.flows import Float64
from analysis.errors import RequestError

BACKENDS = ("sklearn", "torch")
SHARES = (0.75, 0.33, 0.75)  # of the columns, in each hidden layer
_BATCH = 256


class Network(Protocol):
    """An autoencoder: it learns rows, and draws others as well as it can."""

    def learn(self, x: Float64) -> Self:
        """Learn rows (n, f)."""

    def redrawn(self, x: Float64) -> Float64:
        """Return rows (n, f) as the network draws them."""

    def layers(self) -> Sequence[tuple[Float64, Float64]]:
        """Return weights (in, out) and offsets (out,) of each layer."""


def network(backend: str, *, seed: int, epochs: int) -> Network:
    """Return an autoencoder that has learnt nothing.

    Raises RequestError for a backend that is not there.
    """
    if backend == "sklearn":
        return SklearnNetwork(seed, epochs)
    if backend == "torch":
        from analysis.detectors.cadesh.torch_network import TorchNetwork

        return TorchNetwork(seed, epochs)
    raise RequestError(f"{backend!r} is no backend; there are: {', '.join(BACKENDS)}")


def hidden(n_columns: int, shares: Sequence[float] = SHARES) -> tuple[int, ...]:
    """Return the sizes of the hidden layers."""
    return tuple(max(2, round(share * n_columns)) for share in shares)


class Layers:
    """An autoencoder that was learnt before, from its weights: it only redraws."""

    def __init__(self, layers: Sequence[tuple[Float64, Float64]]) -> None:
        self._layers = tuple(layers)

    def learn(self, x: Float64) -> Self:
        """Refuse: what was kept is not learnt further."""
        raise RequestError("a network that was kept does not learn; train it again")

    def redrawn(self, x: Float64) -> Float64:
        """Return rows as the network draws them."""
        last = len(self._layers) - 1
        for k, (weights, offsets) in enumerate(self._layers):
            x = x @ weights + offsets
            x = x if k == last else np.maximum(x, 0.0)
        return x

    def layers(self) -> Sequence[tuple[Float64, Float64]]:
        """Return weights and offsets."""
        return self._layers


class SklearnNetwork:
    """A multi-layer perceptron with rectified units that is asked for its input."""

    def __init__(
        self, seed: int, epochs: int, shares: Sequence[float] = SHARES
    ) -> None:
        self._seed, self._epochs, self._shares = seed, epochs, shares
        self._drawn = Layers(())

    def learn(self, x: Float64) -> Self:
        """Learn rows, for a fixed number of epochs: one seed, one network."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        mlp = MLPRegressor(
            hidden_layer_sizes=hidden(x.shape[1], self._shares),
            batch_size=min(_BATCH, len(x)),
            learning_rate_init=1e-3,
            max_iter=self._epochs,
            random_state=self._seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mlp.fit(x, x)
        self._drawn = Layers(list(zip(mlp.coefs_, mlp.intercepts_, strict=True)))
        return self

    def redrawn(self, x: Float64) -> Float64:
        """Return rows as the network draws them."""
        return self._drawn.redrawn(x)

    def layers(self) -> Sequence[tuple[Float64, Float64]]:
        """Return weights and offsets."""
        return self._drawn.layers()


class Scale:
    """Columns made comparable: centred, divided by their spread, and cut off."""

    def __init__(self, middle: Float64, spread: Float64, most: float = 6.0) -> None:
        self.middle, self.spread, self.most = middle, spread, most

    @classmethod
    def of(cls, x: Float64, least: float = 0.25) -> Self:
        """Learn the scale; no spread counts as less than `least`."""
        return cls(x.mean(axis=0), np.maximum(x.std(axis=0), least))

    def __call__(self, x: Float64) -> Float64:
        """Return scaled rows."""
        scaled: Float64 = np.clip(
            (x - self.middle) / self.spread, -self.most, self.most
        )
        return scaled


def errors(drawn_by: Network, x: Float64) -> Float64:
    """Return (n, f) squared differences between scaled rows and how they are drawn."""
    squared: Float64 = (x - drawn_by.redrawn(x)) ** 2
    return squared


def weights_of(held_out: Mapping[str, Float64]) -> Float64:
    """Return (f,) weights: a column that is drawn badly in most homes counts less.

    held_out  errors of each home by a network that has not learnt from it
    """
    middle = np.median([e.mean(axis=0) for e in held_out.values()], axis=0)
    weights: Float64 = 1.0 / np.maximum(middle, 1e-2)
    return weights
