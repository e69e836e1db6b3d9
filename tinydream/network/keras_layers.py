"""Layers of Keras as layers of ours, each with its parameters; options that we lack are named."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.network.between import BatchNorm, Dropout
from tinydream.network.layers import AnyLayer, Dense, LeakyRelu, Relu, Relu6, Softmax
from tinydream.network.windows import (
    AveragePool,
    Conv,
    Depthwise,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
)

__all__ = ["EPSILON", "MAKE", "Part", "check_options", "told"]

F64 = NDArray[np.float64]
EPSILON = 1e-3  # of our batch norm


@dataclass(frozen=True, eq=False)
class Part:
    """The parameters of a layer: W as `plan.Layer.shape` has it, and b; float64."""

    w: F64
    b: F64


# ---- options ----

# what an option must be, and what would do instead
PLAIN: dict[str, tuple[tuple[Any, ...], str]] = {
    "dilation_rate": (((1,), (1, 1), 1), "larger strides or a pool see as far"),
    "groups": ((1,), "a depthwise convolution is there"),
    "depth_multiplier": ((1,), "a convolution of size 1 behind it makes more channels"),
    "data_format": (("channels_last", None), "networks have channels_last"),
    "padding": (("valid", "same"), "networks pad 'valid' or 'same'"),
    "kernel_regularizer": ((None,), "give the optimiser a weight_decay"),
    "depthwise_regularizer": ((None,), "give the optimiser a weight_decay"),
    "bias_regularizer": ((None,), "give the optimiser a weight_decay"),
    "activity_regularizer": ((None,), "leave it out"),
    "kernel_constraint": ((None,), "leave it out"),
    "depthwise_constraint": ((None,), "leave it out"),
    "bias_constraint": ((None,), "leave it out"),
    "keepdims": ((False,), "leave it out, a Dense follows anyway"),
    "noise_shape": ((None,), "leave it out"),
    "lora_rank": ((None,), "merge it first"),
}


def check_options(name: str, config: dict[str, Any]) -> None:
    """Raises InputError for an option of a layer that networks have not."""
    for option in PLAIN.keys() & config.keys():
        allowed, instead = PLAIN[option]
        value = config[option]
        if (tuple(value) if isinstance(value, list) else value) not in allowed:
            raise InputError(
                f"layer {name!r} has {option}={told(value)}, which networks have not; {instead}"
            )


def told(value: Any) -> str:
    """An option's value in a sentence."""
    return repr(value.get("class_name", "its own") if isinstance(value, dict) else value)


def _train(layer: Any) -> str:
    return "all" if layer.trainable else "none"


def _weights(layer: Any, config: dict[str, Any]) -> tuple[F64, F64]:
    """Kernel and bias; a layer that does not train may have none."""
    kernel, *bias = (np.asarray(each, float) for each in layer.get_weights())
    if not config["use_bias"]:
        if layer.trainable:
            raise InputError(
                f"layer {layer.name!r} has no bias, and a layer that trains has one; build it with"
                " use_bias=True, which begins at 0"
            )
        bias = [np.zeros(kernel.shape[-2 if config.get("depth_multiplier") else -1])]
    return kernel, bias[0]


# ---- layers: of ours, and their parameters ----

Made = tuple[AnyLayer | None, Part | None]


def _dense(layer: Any, config: dict[str, Any]) -> Made:
    kernel, bias = _weights(layer, config)
    return Dense(config["units"], _train(layer)), Part(kernel.T, bias)


def _window(config: dict[str, Any], size: str) -> dict[str, Any]:
    keys = {"size": size, "strides": "strides"}
    found = {key: tuple(config[name]) for key, name in keys.items()}
    return found | {"padding": config["padding"]}


def _conv(layer: Any, config: dict[str, Any]) -> Made:
    kernel, bias = _weights(layer, config)
    kernel = kernel[None] if kernel.ndim == 3 else kernel
    made = Conv(config["filters"], train=_train(layer), **_window(config, "kernel_size"))
    return made, Part(kernel.transpose(3, 0, 1, 2), bias)


def _depthwise(layer: Any, config: dict[str, Any]) -> Made:
    kernel, bias = _weights(layer, config)
    kernel = kernel[None] if kernel.ndim == 3 else kernel
    made = Depthwise(train=_train(layer), **_window(config, "kernel_size"))
    return made, Part(kernel[..., 0], bias)


def _max_pool(layer: Any, config: dict[str, Any]) -> Made:
    return MaxPool(**_window(config, "pool_size")), None


def _average_pool(layer: Any, config: dict[str, Any]) -> Made:
    return AveragePool(**_window(config, "pool_size")), None


def _batch_norm(layer: Any, config: dict[str, Any]) -> Made:
    axis, rank = config["axis"], layer.input_spec.ndim
    axes = [axis] if isinstance(axis, int) else list(axis)
    if [each % rank for each in axes] != [rank - 1]:
        raise InputError(f"layer {layer.name!r} has axis={axis}; networks have channels last")
    found = [np.asarray(each, float) for each in layer.get_weights()]
    scale = found.pop(0) if config["scale"] else np.ones_like(found[-1])
    shift = found.pop(0) if config["center"] else np.zeros_like(found[-1])
    if layer.trainable and not (config["scale"] and config["center"]):
        raise InputError(
            f"layer {layer.name!r} trains without a scale or a shift; leave scale=True, center=True"
        )
    mean, variance = found[0], found[1] + config["epsilon"] - EPSILON
    if config["epsilon"] != EPSILON and (layer.trainable or variance.min() < 0):
        raise InputError(
            f"layer {layer.name!r} has epsilon={config['epsilon']}; build it with {EPSILON}"
        )
    made = BatchNorm(config["momentum"], _train(layer))
    return made, Part(np.stack([mean, variance, scale]), shift)


def _relu(layer: Any, config: dict[str, Any]) -> Made:
    found = (config["max_value"], config["negative_slope"] or 0, config["threshold"] or 0)
    if found == (None, 0, 0):
        return Relu(), None
    if found == (6, 0, 0):
        return Relu6(), None
    if found[0] is None and not found[2]:
        return LeakyRelu(float(found[1])), None
    raise InputError(
        f"layer {layer.name!r} has max_value={found[0]}, negative_slope={found[1]},"
        f" threshold={found[2]}; networks have ReLU, ReLU up to 6 and LeakyReLU"
    )


def _only(made: Callable[[dict[str, Any]], AnyLayer | None]) -> Callable[[Any, Any], Made]:
    return lambda layer, config: (made(config), None)


# "Add", and what comes first, are the reader's
MAKE: dict[str, Callable[[Any, dict[str, Any]], Made]] = {
    "Dense": _dense,
    "Conv1D": _conv,
    "Conv2D": _conv,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "MaxPooling1D": _max_pool,
    "MaxPooling2D": _max_pool,
    "AveragePooling1D": _average_pool,
    "AveragePooling2D": _average_pool,
    "BatchNormalization": _batch_norm,
    "ReLU": _relu,
    "LeakyReLU": _only(lambda config: LeakyRelu(float(config["negative_slope"]))),
    "Softmax": _only(lambda config: Softmax()),
    "Activation": _only(lambda config: None),
    "Dropout": _only(lambda config: Dropout(config["rate"])),
    "Flatten": _only(lambda config: Flatten()),
    "GlobalAveragePooling1D": _only(lambda config: GlobalAveragePool()),
    "GlobalAveragePooling2D": _only(lambda config: GlobalAveragePool()),
    "GlobalMaxPooling1D": _only(lambda config: GlobalMaxPool()),
    "GlobalMaxPooling2D": _only(lambda config: GlobalMaxPool()),
}
