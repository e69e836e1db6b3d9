"""A small convolutional network on rows of images, by Keras."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.codec.sets import SHAPES, Fold
from tinydream.codec import Representatives

__all__ = ["fit_cnn", "pixels", "there_is_keras"]

Images = NDArray[np.float32]

BATCH, LAST, SLOWER = 32, 4, 0.1  # as the dense network: the last quarter at a tenth of the rate
AT_ONCE = 250  # updates a call: the same weights to the last bit in half the time


def there_is_keras() -> bool:
    """Whether the extra `keras` is installed."""
    return find_spec("keras") is not None and find_spec("tensorflow") is not None


def fit_cnn(name: str, reps: Representatives, fold: Fold, rate: float, seed: int) -> float:
    """The share of images classified right after as many updates as the dense network makes.

    Two convolutions (8 and 16 channels, 3x3, stride 2, ReLU) and a dense layer, Adam. It learns
    from rows as a device would draw them, as often as they weigh. Rows that are projected are
    brought back to pixels, the shortest ones that project there; so are the images that are
    scored, since what a projection leaves out of an image is gone for new ones as well.
    """
    keras = _keras()
    keras.utils.set_random_seed(seed)
    x, y = reps.sample(BATCH * fold.facts.steps, seed)
    model = _network(keras, SHAPES[name], len(reps.classes))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=AT_ONCE)
    slow = len(x) - len(x) // LAST
    for part, factor in ((slice(slow), 1.0), (slice(slow, None), SLOWER)):
        model.optimizer.learning_rate = rate * factor
        images = pixels(SHAPES[name], reps, x[part])
        model.fit(images, y[part], batch_size=BATCH, shuffle=False, verbose=0)
    scored = pixels(SHAPES[name], reps, reps.inputs.apply(fold.X_score))
    outputs = model.predict(scored, 512, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == fold.y_score))


def _network(keras: Any, shape: tuple[int, ...], classes: int) -> Any:
    """The layers, with initial weights; outputs are logits."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((*shape, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )


def pixels(shape: tuple[int, ...], reps: Representatives, x: NDArray[np.float32]) -> Images:
    """Network inputs (n, r) as images (n, *shape, 1); a pixel that is never lit stays 0."""
    if reps.inputs.projection is not None:
        x = reps.inputs.projection.back(x)
    images = np.zeros((len(x), len(reps.inputs.kept)), np.float32)
    images[:, reps.inputs.kept] = x
    return images.reshape(-1, *shape, 1)


@cache
def _keras() -> Any:
    """Keras on one thread, as every worker has one."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras
