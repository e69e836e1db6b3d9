"""A small convolutional network on rows of images, by Keras."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.codec.sets import SHAPES, Fold
from tinydream.codec import Representatives

__all__ = ["fit_cnn", "there_is_keras"]

BATCH, LAST, SLOWER = 32, 4, 0.1  # as the dense network: the last quarter at a tenth of the rate


def there_is_keras() -> bool:
    """Whether the extra `keras` is installed."""
    return find_spec("keras") is not None and find_spec("tensorflow") is not None


def fit_cnn(name: str, reps: Representatives, fold: Fold, rate: float, seed: int) -> float:
    """The share of images classified right after as many updates as the dense network makes.

    Two convolutions (8 and 16 channels, 3x3, stride 2, ReLU) and a dense layer, Adam. It learns
    from rows as a device would draw them, which must not be projected: pixels are what it sees.
    """
    keras, classes = _keras(), len(reps.classes)
    keras.utils.set_random_seed(seed)
    x, y = reps.sample(BATCH * fold.facts.steps, seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((*SHAPES[name], 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    images, slow = _images(name, reps, x), len(x) - len(x) // LAST
    for part, factor in ((slice(slow), 1.0), (slice(slow, None), SLOWER)):
        model.optimizer.learning_rate = rate * factor
        model.fit(images[part], y[part], batch_size=BATCH, shuffle=False, verbose=0)
    outputs = model.predict(_images(name, reps, reps.inputs.apply(fold.X_score)), 512, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == fold.y_score))


def _images(name: str, reps: Representatives, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Network inputs (n, r) at their places in an image; a pixel that is never lit stays 0."""
    assert reps.inputs.projection is None, "a CNN looks at pixels"
    images = np.zeros((len(x), len(reps.inputs.kept)), np.float32)
    images[:, reps.inputs.kept] = x
    return images.reshape(-1, *SHAPES[name], 1)


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
