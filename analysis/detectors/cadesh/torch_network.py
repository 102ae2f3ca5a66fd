"""The autoencoder in torch, behind the extra `deep`; the same shape and loss."""

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Self

import numpy as np

from analysis.detectors.cadesh.autoencoder import Layers, hidden
from analysis.detectors.cadesh.flows import Float64
from analysis.errors import RequestError

_BATCH = 256


class TorchNetwork:
    """A stack of linear layers with rectified units that is asked for its input.

    Raises RequestError where torch is not installed.
    """

    def __init__(self, seed: int, epochs: int) -> None:
        try:
            self._torch: Any = import_module("torch")
        except ImportError as exc:
            raise RequestError(
                "torch is not installed; install the extra 'deep', or choose the "
                "backend 'sklearn'"
            ) from exc
        self._seed, self._epochs = seed, epochs
        self._drawn = Layers(())

    def learn(self, x: Float64) -> Self:
        """Learn rows, for a fixed number of epochs: one seed, one network."""
        torch = self._torch
        order = torch.Generator().manual_seed(self._seed)
        rows = torch.tensor(np.asarray(x), dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            linear = _linear(torch, x.shape[1])
        model = torch.nn.Sequential(*_with_units(torch, linear))
        steps = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(self._epochs):
            for some in torch.randperm(len(rows), generator=order).split(_BATCH):
                steps.zero_grad()
                loss = ((model(rows[some]) - rows[some]) ** 2).mean()
                loss.backward()
                steps.step()
        self._drawn = Layers(
            [
                (
                    each.weight.detach().numpy().T.astype(np.float64),
                    each.bias.detach().numpy().astype(np.float64),
                )
                for each in linear
            ]
        )
        return self

    def redrawn(self, x: Float64) -> Float64:
        """Return rows as the network draws them."""
        return self._drawn.redrawn(x)

    def layers(self) -> Sequence[tuple[Float64, Float64]]:
        """Return weights and offsets."""
        return self._drawn.layers()


def _linear(torch: Any, n_columns: int) -> list[Any]:
    sizes = (n_columns, *hidden(n_columns), n_columns)
    return [torch.nn.Linear(into, out) for into, out in pairwise(sizes)]


def _with_units(torch: Any, linear: list[Any]) -> list[Any]:
    layers: list[Any] = []
    for each in linear:
        layers += [each, torch.nn.ReLU()]
    return layers[:-1]
