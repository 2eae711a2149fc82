"""A Keras network trained by torch's own operators: the same weights, less waiting on a CPU.

Keras' torch backend computes batch normalisation from elementary operations and its
optimizer one variable at a time.  Here every layer becomes one native operator on
channels-last memory, and the weights stay where Keras keeps them, so that the trained network
is saved, measured and converted as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

Floats = npt.NDArray[np.float32]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def native_forward(model: keras.Model) -> Callable[[torch.Tensor, bool], torch.Tensor]:
    """Return ``forward(inputs (N, H, W, C), training)`` of a functional *model* of one output.

    The weights are *model*'s own: gradients reach them, and batch normalisation updates its
    moving statistics in place when *training*.  Raises TypeError for a layer it does not know.
    """
    # Keras has no public way to walk a functional model's graph; its nodes are what it saves.
    order = [operation for operation in model.operations if not _is_input(operation)]
    for layer in order:
        if type(layer).__name__ not in _OPERATORS:
            known = ", ".join(sorted(_OPERATORS))
            raise TypeError(
                f"layer {layer.name} is a {type(layer).__name__}; torch trains {known}"
            )
    calls = [(layer, _OPERATORS[type(layer).__name__]) for layer in order]
    sources = [[id(t) for t in layer._inbound_nodes[0].input_tensors] for layer in order]
    results = [id(layer._inbound_nodes[0].output_tensors[0]) for layer in order]
    entrance, exit_ = id(model.inputs[0]), id(model.outputs[0])

    def forward(inputs: torch.Tensor, training: bool) -> torch.Tensor:
        # (N, H, W, C) in memory is channels-last (N, C, H, W) to torch.
        values = {entrance: inputs.permute(0, 3, 1, 2)}
        for (layer, operator), source, result in zip(calls, sources, results, strict=True):
            values[result] = operator(layer, [values[key] for key in source], training)
        return values[exit_]

    return forward


class TorchStep:
    """Optimizer steps on *model* by torch: AdamW, warm-up, cosine decay, averaged weights.

    *loss* takes targets and predictions and gives one value a sample.  *rate* (steps) gives
    the learning rate of each step; gradients are clipped to a global norm of 10.  Gammas,
    betas and biases do not decay.  With *averaging* above 0, :meth:`averaged` lends the model
    the exponential average of its weights and moving statistics, batch normalisation
    included: an average of weights with the statistics of the last step loses points.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: Loss,
        rate: Callable[[int], float],
        weight_decay: float,
        averaging: float = 0.0,
    ) -> None:
        self._forward, self._loss, self._rate = native_forward(model), loss, rate
        self._all = [variable.value for variable in model.variables if _is_float(variable)]
        trained = [(v.name, v.value) for v in model.trainable_variables]
        still = ("gamma", "beta", "bias")
        self._trained = [value for _, value in trained]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [v for name, v in trained if name not in still]},
                {"params": [v for name, v in trained if name in still], "weight_decay": 0.0},
            ],
            lr=1e-3, weight_decay=weight_decay, fused=True,
        )
        self._averaging, self._steps = averaging, 0
        self._average = [value.detach().clone() for value in self._all]

    def train(self, inputs: Floats, targets: Floats) -> float:
        """Take one step on a batch and return its mean loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(self._steps)
        self._optimizer.zero_grad(set_to_none=True)
        predicted = self._forward(torch.from_numpy(inputs), True)
        loss = self._loss(torch.from_numpy(targets), predicted).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 10.0)
        self._optimizer.step()
        self._steps += 1
        if self._averaging:
            # Early weights are forgotten faster: they are far from where the training goes.
            keep = min(self._averaging, (1 + self._steps) / (10 + self._steps))
            with torch.no_grad():
                torch._foreach_lerp_(self._average, self._all, 1 - keep)
        return float(loss.detach())

    def test(self, inputs: Floats, targets: Floats) -> float:
        """Return the mean loss of a batch; nothing is learnt."""
        with torch.no_grad():
            predicted = self._forward(torch.from_numpy(inputs), False)
            return float(self._loss(torch.from_numpy(targets), predicted).mean())

    def swap_average(self) -> None:
        """Exchange the model's weights with their average; called again, exchange back."""
        if self._averaging:
            with torch.no_grad():
                for value, average in zip(self._all, self._average, strict=True):
                    kept = value.detach().clone()
                    value.copy_(average)
                    average.copy_(kept)

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        """Yield everything a training needs to go on, always in the same order."""
        yield np.array(self._steps)
        for tensor in (*self._all, *self._average, *self._moments()):
            yield tensor.detach().numpy()

    def restore(self, arrays: Iterator[npt.NDArray[Any]]) -> None:
        """Take back what :meth:`arrays` gave."""
        self._steps = int(next(arrays))
        with torch.no_grad():
            for tensor in (*self._all, *self._average, *self._moments()):
                tensor.copy_(torch.from_numpy(np.array(next(arrays))))

    def _moments(self) -> Iterator[torch.Tensor]:
        for value in self._trained:
            state = self._optimizer.state[value]
            if not state:
                state["step"] = torch.zeros(())
                state["exp_avg"] = torch.zeros_like(value)
                state["exp_avg_sq"] = torch.zeros_like(value)
            yield from (state["step"], state["exp_avg"], state["exp_avg_sq"])


def cosine_rate(highest: float, warmup: int, steps: int) -> Callable[[int], float]:
    """Return the learning rate by step: up from 1 % to *highest*, and down to 1 % as a cosine."""

    def rate(step: int) -> float:
        if step < warmup:
            return highest * (0.01 + 0.99 * step / warmup)
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return highest * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)

    return rate


def _is_input(operation: Any) -> bool:
    return isinstance(operation, keras.layers.InputLayer)


def _is_float(variable: keras.Variable) -> bool:
    return bool(variable.dtype.startswith("float"))


def _padded(x: torch.Tensor, size: int, stride: int) -> tuple[torch.Tensor, int]:
    """Return *x* ready for a "same" convolution, and the padding torch should add itself.

    Keras and TFLite pad an even side at stride 2 behind and below only.
    """
    if stride == 1:
        return x, size // 2
    rows, columns = (
        max(0, (-(-side // stride) - 1) * stride + size - side) for side in x.shape[2:]
    )
    edges = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return functional.pad(x, edges), 0


def _convolution(layer: Any, inputs: list[torch.Tensor], training: bool) -> torch.Tensor:
    kernel = layer.kernel.value
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    # Keras: rows, columns, in, out (depthwise: in, 1); torch: out (depthwise: in), in or 1, ...
    kernel = kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1)
    stride = layer.strides[0]
    if layer.padding == "same":
        x, padding = _padded(inputs[0], layer.kernel_size[0], stride)
    else:
        x, padding = inputs[0], 0
    bias = layer.bias.value if layer.use_bias else None
    groups = x.shape[1] if depthwise else 1
    return functional.conv2d(x, kernel, bias, stride, padding, 1, groups)


def _normalisation(layer: Any, inputs: list[torch.Tensor], training: bool) -> torch.Tensor:
    return functional.batch_norm(
        inputs[0], layer.moving_mean.value, layer.moving_variance.value, layer.gamma.value,
        layer.beta.value, training and layer.trainable, 1 - layer.momentum, layer.epsilon,
    )


def _concatenation(layer: Any, inputs: list[torch.Tensor], training: bool) -> torch.Tensor:
    maps = inputs[0].dim() == 4
    return torch.cat(inputs, 1 if maps and layer.axis == -1 else layer.axis)


def _reshape(layer: Any, inputs: list[torch.Tensor], training: bool) -> torch.Tensor:
    x = inputs[0].permute(0, 2, 3, 1)
    return x.reshape(x.shape[0], *layer.target_shape)


_OPERATORS: dict[str, Callable[[Any, list[torch.Tensor], bool], torch.Tensor]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "BatchNormalization": _normalisation,
    "ReLU": lambda layer, x, _: (
        functional.relu6(x[0]) if layer.max_value == 6 else functional.relu(x[0])
    ),
    "Add": lambda _, x, __: x[0] + x[1],
    "Concatenate": _concatenation,
    "Reshape": _reshape,
    "Upsample": lambda _, x, __: functional.interpolate(x[0], scale_factor=2),
    "ZeroPadding2D": lambda layer, x, _: functional.pad(
        x[0], (*layer.padding[1], *layer.padding[0])
    ),
    "GlobalAveragePooling2D": lambda _, x, __: x[0].mean((2, 3)),
    "Dropout": lambda layer, x, training: functional.dropout(x[0], layer.rate, training),
    "Dense": lambda layer, x, _: functional.linear(
        x[0], layer.kernel.value.T, layer.bias.value
    ),
}
