"""A plan and its weights as a functional Keras model, made of Keras' own layers only.

So whoever gets the file needs Keras, and nothing of ours.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.inputs import INPUT_LIMIT, Inputs, f8_decode
from tinydream.network.front import MARK, SCALED
from tinydream.network.quiet import import_keras, quiet
from tinydream.plan import Layer, Plan, Window
from tinydream.weights import split_weights

__all__ = ["make_model", "read_weights"]

F32 = NDArray[np.float32]


def make_model(plan: Plan, weights: F32, *, raw: bool = True) -> Any:
    """A keras.Model that predicts what a device with these weights (parameters,) does.

    It takes rows (n, features) in raw units, NaN where something is missing, and gives shares of
    classes (n, classes), of the second of two classes (n, 1) after a sigmoid, or targets in raw
    units (n, targets). raw: False for rows as the network gets them, scaled. Layers that do not
    train are not trainable. Raises InputError when Keras is not there.
    """
    keras = import_keras()
    with quiet():
        return _Maker(keras, plan, weights).model(raw)


class _Maker:
    def __init__(self, keras: Any, plan: Plan, weights: F32) -> None:
        self.keras, self.like, self.plan = keras, keras.layers, plan
        arrays = iter(split_weights(plan, weights).values())
        self.arrays = zip(arrays, arrays, strict=True)  # W and b of each layer that has any
        self.signal = _is_signal(plan)

    def model(self, raw: bool) -> Any:
        inputs = self.plan.inputs
        width = inputs.raw_columns if raw else inputs.outputs
        first = self.keras.Input((width,), name="features" if raw else "inputs")
        x = self.like.Identity(name=MARK)(_scaled(self.keras, inputs, first)) if raw else first
        given: list[Any] = []
        for i, layer in enumerate(self.plan.operations):
            if layer.kind == "add":
                wanted = self._shape(layer)
                both = [self._shaped(each, wanted) for each in (x, given[layer.beside - 1])]
                x = self.like.Add()(both)
            else:
                x = self._operation(layer, x)
            x = self._activation(self.plan.layers[2 * i + 1 : 2 * i + 2], x)
            given.append(x)
        outputs = self.plan.outputs
        if len(outputs.scale):
            scale, shift = outputs.scale.tolist(), outputs.shift.tolist()
            x = self.like.Rescaling(scale, shift, name="targets")(x)
        return self.keras.Model(first, x, name="tinydream")

    def _operation(self, layer: Layer, x: Any) -> Any:
        """One operation on x, with its weights."""
        x = self._shaped(x, self._shape(layer))
        made = self._made(layer)
        y = made(x)
        if layer.parameters:
            made.set_weights(_as_keras(layer, *next(self.arrays), signal=self.signal))
            made.trainable = layer.train != "none"
        return y

    def _made(self, layer: Layer) -> Any:
        like, w = self.like, layer.window
        if layer.kind == "dense":
            return like.Dense(layer.outputs)
        assert w is not None  # of all operations but dense ones
        if layer.kind == "batch_norm":
            return like.BatchNormalization(momentum=layer.limit)
        if layer.kind == "dropout":
            return like.Dropout(layer.limit)
        options = {"strides": self._pair(w.down, w.right), "padding": _padding(w)}
        size = self._pair(w.rows, w.columns)
        if layer.kind == "conv":
            kind = like.Conv1D if self.signal else like.Conv2D
            return kind(w.filters, size, **options)
        kinds = {
            "depthwise": (like.DepthwiseConv1D, like.DepthwiseConv2D),
            "max_pool": (like.MaxPooling1D, like.MaxPooling2D),
            "average_pool": (like.AveragePooling1D, like.AveragePooling2D),
        }
        return kinds[layer.kind][not self.signal](size, **options)

    def _pair(self, rows: int, columns: int) -> Any:
        return columns if self.signal else (rows, columns)

    def _shape(self, layer: Layer) -> tuple[int, ...]:
        """Of what Keras' layer takes; a row of numbers is a window of one place."""
        w = layer.window
        if w is None or (w.height == w.width == 1 and layer.kind in ("batch_norm", "dropout")):
            return (layer.inputs,)
        if layer.kind == "add" and w.height == w.width == 1:
            return (layer.inputs,)
        return (w.width, w.channels) if self.signal else (w.height, w.width, w.channels)

    def _shaped(self, x: Any, shape: tuple[int, ...]) -> Any:
        if tuple(x.shape[1:]) == shape:
            return x
        return self.like.Flatten()(x) if len(shape) == 1 else self.like.Reshape(shape)(x)

    def _activation(self, found: tuple[Layer, ...], x: Any) -> Any:
        """The activation behind an operation; none behind the last one of a regression."""
        kind = found[0].kind if found else "linear"
        if kind == "linear":
            return x
        if kind == "leaky_relu":
            return self.like.LeakyReLU(negative_slope=found[0].limit)(x)
        if kind in ("relu", "relu6"):
            return self.like.ReLU(max_value=6.0 if kind == "relu6" else None)(x)
        return self.like.Softmax()(x) if kind == "softmax" else self.like.Activation(kind)(x)


def _padding(w: Window) -> str:
    """'valid' where that gives as many windows: they are the same ones then."""
    rows = (w.height - w.rows) // w.down + 1
    columns = (w.width - w.columns) // w.right + 1
    return "valid" if (rows, columns) == (w.out_height, w.out_width) else "same"


def _as_keras(layer: Layer, w: F32, b: F32, *, signal: bool) -> list[F32]:
    """Parameters in Keras' order and shapes."""
    if layer.kind == "batch_norm":
        mean, variance, scale = w
        return [scale, b, mean, variance]
    if layer.kind == "dense":
        return [w.T, b]
    kernel = w.transpose(1, 2, 3, 0) if layer.kind == "conv" else w[..., None]
    return [kernel[0] if signal else kernel, b]


def read_weights(plan: Plan, model: Any) -> F32:
    """All parameters (parameters,) of what `make_model` made of a network, as a device has them."""
    signal = _is_signal(plan)
    arrays = (layer.get_weights() for layer in model.layers)
    layers = (layer for layer in plan.operations if layer.parameters)
    both = zip(layers, filter(None, arrays), strict=True)
    flat = [np.ravel(each) for pair in both for each in _as_ours(*pair, signal=signal)]
    return np.concatenate(flat).astype(np.float32) + np.float32(0)  # no -0


def _as_ours(layer: Layer, arrays: list[F32], *, signal: bool) -> tuple[F32, F32]:
    """W and b of parameters in Keras' order and shapes."""
    if layer.kind == "batch_norm":
        scale, b, mean, variance = arrays
        return np.stack([mean, variance, scale]), b
    kernel, b = arrays
    if layer.kind == "dense":
        return kernel.T, b
    kernel = kernel[None] if signal else kernel
    return (kernel.transpose(3, 0, 1, 2) if layer.kind == "conv" else kernel[..., 0]), b


def _is_signal(plan: Plan) -> bool:
    return all(w.height == 1 for w in plan.windows if w)


def _scaled(keras: Any, inputs: Inputs, raw: Any) -> Any:
    """Raw rows as network inputs: SPEC.md, "Inputs", by operations that .tflite has, too.

    x * 2^gain - shift * 2^gain is (x - shift) * 2^gain to the last bit, for want of underflow.
    """
    ops, like, limit = keras.ops, keras.layers, INPUT_LIMIT
    expand = np.maximum(inputs.expand, 1) if len(inputs.expand) else np.ones(1, np.uint8)
    columns = np.repeat(np.flatnonzero(inputs.kept), expand)
    x = raw
    if not np.array_equal(columns, np.arange(inputs.raw_columns)):
        x = ops.take(raw, columns.astype(np.int32), axis=1)
    y = x
    if (expand > 1).any():
        codes = np.concatenate([np.arange(n, dtype=np.float32) for n in expand])[None]
        hot = np.repeat(expand > 1, expand)[None]
        y = ops.where(hot, ops.cast(ops.equal(x, codes), "float32"), x)
    gain = np.ldexp(np.float32(1), inputs.gain.astype(np.int32))
    scale, offset = (each.tolist() for each in (gain, -inputs.shift * gain))
    one = len(scale) == 1
    y = like.Rescaling(*((scale[0], offset[0]) if one else (scale, offset)), name=SCALED)(y)
    y = ops.clip(y, -limit, limit)
    fill = inputs.fill if len(inputs.fill) else np.zeros(1, np.float32)
    y = ops.where(ops.equal(x, x), y, fill[None])  # NaN is not equal to itself
    if inputs.projection is None:
        return y
    codes = inputs.projection.codes.astype(np.float32)
    sums = like.Dense(codes.shape[1], use_bias=False, trainable=False, name="projection")
    z = sums(y)
    sums.set_weights([codes])
    scale = f8_decode(inputs.projection.scale).tolist()
    return ops.clip(like.Rescaling(scale, name="projected")(z), -limit, limit)
