"""A Keras model in, trained by the device's own code, and a Keras model out.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.errors import InputError
from tinydream.keras import drawn_rows, make_model, open_model, stored_rows, write_model
from tinydream.network import SGD, Adam, Network, Softmax
from tinydream.network.keras import load_model
from tinydream.network.quiet import import_keras
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

SEED, CLOSE = 3, 1e-5

pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def reps(digits):
    codec = EntroGeDe(budget_bytes=4096, shape=(8, 8), projection="none")
    return codec.fit(digits.X, digits.y).representatives_


def mlp(like, x):
    x = like.Rescaling(1 / 16, -0.5)(x)
    x = like.Dense(16, "relu")(x)
    return like.Dense(10, "softmax")(like.Dropout(0.2)(x))


def signal(like, x):
    x = like.Reshape((16, 4))(x)
    x = like.Conv1D(6, 3, activation="relu")(x)
    x = like.AveragePooling1D(2)(x)
    x = like.DepthwiseConv1D(3, padding="same")(x)
    x = like.GlobalMaxPooling1D()(like.LeakyReLU(negative_slope=0.1)(x))
    return like.Dense(10, "softmax")(x)


def picture(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = like.Conv2D(6, 3, 2, padding="same")(x)
    x = like.ReLU()(like.BatchNormalization(momentum=0.9)(x))
    x = like.MaxPooling2D()(x)
    return like.Dense(10, "softmax")(like.Flatten()(x))


def depthwise(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = like.Conv2D(4, (3, 2), activation="relu6")(x)
    x = like.DepthwiseConv2D(3, (2, 1), padding="same", activation="tanh")(x)
    return like.Dense(10, "softmax")(like.GlobalAveragePooling2D()(x))


def residual(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = before = like.Conv2D(4, 3, activation="relu")(x)
    x = like.Conv2D(4, 3, padding="same", activation="sigmoid")(x)
    x = like.Activation("relu")(x + before)
    x = like.Dropout(0.1)(like.AveragePooling2D(2)(x))
    return like.Dense(10, "softmax")(like.Flatten()(x))


def model_of(keras, make, inputs=64):
    keras.utils.set_random_seed(SEED)
    first = keras.Input((inputs,))
    return keras.Model(first, make(keras.layers, first))


def trained(reps, model, **knobs):
    """The plan of a model, what it predicts at first, and what it has learnt."""
    network = Network.from_keras(model, reps)
    plan = make_plan(reps, network, board=load_board("native"), batch=20)
    simulator = Simulator(plan)
    simulator.push(network.weights)
    return simulator, lambda: simulator.train(epochs=1, fresh=False, seed=SEED, **knobs)


@pytest.mark.parametrize("make", [mlp, signal, picture, depthwise, residual])
def test_a_model_goes_in_and_comes_out(keras, digits, reps, make, tmp_path):
    model = model_of(keras, make)
    simulator, train = trained(reps, model, rate=0.01)
    x = digits.X_test.astype(np.float32)
    before = simulator.predict_proba(x)
    assert before == pytest.approx(model.predict(x, 512, verbose=0), abs=CLOSE)
    train()
    after = simulator.predict_proba(x)
    assert np.abs(after - before).max() > 0.01
    for name in ("a.keras", "a.tflite"):
        write_model(tmp_path / name, simulator.plan, simulator.weights)
        assert open_model(tmp_path / name).predict(x) == pytest.approx(after, abs=CLOSE)


def test_a_regression_keeps_its_units(keras, digits, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(50, 20, (400, 5)).astype(np.float32)
    x[::7, 2] = np.nan
    y = np.stack([x[:, 0] * 3 - 100, x[:, 1] - x[:, 4]], 1)
    codec = EntroGeDe(budget_bytes=2048, task="regression", projection="none").fit(x, y)
    model = model_of(keras, lambda like, x: like.Dense(2)(like.Dense(8, "tanh")(x)), 5)
    model.compile(keras.optimizers.SGD(0.01, 0.9, global_clipnorm=1.0), "mse")
    network = Network.from_keras(model, codec)
    assert network.optimizer == SGD(0.01, 0.9, clip=1.0)
    simulator = Simulator(make_plan(codec, network, board=load_board("native"), targets="ab"))
    simulator.push(network.weights)
    size = simulator.plan.outputs.scale
    rows = np.nan_to_num(x[:50], nan=np.nanmean(x[:, 2]))
    truth = model.predict(rows, verbose=0)
    assert simulator.predict(rows) / size == pytest.approx(truth / size, abs=CLOSE)
    simulator.train(epochs=2, rate=0.01, fresh=False)
    for name in ("a.keras", "a.tflite"):
        write_model(tmp_path / name, simulator.plan, simulator.weights)
        found = open_model(tmp_path / name).predict(x)
        assert found / size == pytest.approx(simulator.predict(x) / size, abs=CLOSE)


def test_projections_categories_and_gaps_leave_with_the_model(keras, digits, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    x[:, 1] = rng.integers(0, 4, 300)
    x[:, 3] = 7
    x[rng.random(x.shape) < 0.05] = np.nan
    y = (np.nan_to_num(x[:, 0]) + (x[:, 1] == 2) > 0.3).astype(int)
    for options in ({"projection": "pca", "components": 3}, {"projection": "none"}):
        codec = EntroGeDe(budget_bytes=2048, one_hot=(1,), **options).fit(x, y)
        network = Network.mlp([6], 1, activation="leaky_relu")
        simulator = Simulator(make_plan(codec, network, board=load_board("native")))
        simulator.train(epochs=2)
        write_model(tmp_path / "a.tflite", simulator.plan, simulator.weights)
        found = open_model(tmp_path / "a.tflite").predict(x)[:, 0]
        assert found == pytest.approx(simulator.predict_proba(x)[:, 1], abs=CLOSE)


def test_a_smaller_lite_model_is_nearly_the_device(keras, digits, reps, tmp_path):
    simulator, train = trained(reps, model_of(keras, mlp))
    train()
    x, truth = digits.X_test.astype(np.float32), simulator.predict_proba(digits.X_test)
    sizes = {}
    for kind, apart in {"none": CLOSE, "float16": 5e-3, "int8": 0.1}.items():
        path = tmp_path / f"{kind}.tflite"
        samples = reps.sample(200, SEED)[0]
        write_model(path, simulator.plan, simulator.weights, quantise=kind, samples=samples)
        opened, sizes[kind] = open_model(path), path.stat().st_size
        assert opened.integers == (kind == "int8")
        found = opened.predict(reps.inputs.apply(x) if opened.integers else x)
        assert np.abs(found - truth).mean() < apart
    assert sizes["int8"] < sizes["float16"] < sizes["none"]


@given(data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_model_goes_in_and_comes_out(keras, digits, reps, data):
    """Windows, strides, paddings, activations, norms, sums and what is frozen, at random."""
    like, pick = keras.layers, lambda *of: data.draw(st.sampled_from(of))
    first = keras.Input((64,))
    x = like.Rescaling(pick(1 / 16, 0.1), pick(0.0, -0.5))(like.Reshape((8, 8, 1))(first))
    for _ in range(pick(1, 2)):
        size, padding = (pick(1, 2, 3), pick(1, 2)), pick("valid", "same")
        options = {"padding": padding, "trainable": pick(True, False)}
        make = pick(lambda *a, **o: like.Conv2D(3, *a, **o), like.DepthwiseConv2D)
        x = before = like.Activation(pick("relu", "tanh"))(make(size, pick(1, 2), **options)(x))
        if pick(True, False):
            x = like.BatchNormalization()(x)
        if pick(True, False):
            x = like.Conv2D(x.shape[-1], 3, padding="same", activation="relu6")(x)
            x = like.Add()([x, before])
    x = pick(like.Flatten(), like.GlobalAveragePooling2D(), like.GlobalMaxPooling2D())(x)
    model = keras.Model(first, like.Dense(10, "softmax")(like.Dropout(pick(0.0, 0.3))(x)))
    simulator, train = trained(reps, model)
    rows = digits.X_test[:40].astype(np.float32)
    assert simulator.predict_proba(rows) == pytest.approx(model(rows).numpy(), abs=CLOSE)
    train()
    out = make_model(simulator.plan, simulator.weights)
    assert simulator.predict_proba(rows) == pytest.approx(out(rows).numpy(), abs=CLOSE)


def test_a_model_that_came_out_goes_in_again(keras, digits, reps, tmp_path):
    """As a Sequential of a frozen body and a head, too; here it takes network inputs."""
    simulator, train = trained(reps, model_of(keras, residual))
    train()
    write_model(tmp_path / "a.keras", simulator.plan, simulator.weights)
    body = make_model(simulator.plan, simulator.weights, raw=False)
    network = Network.from_keras(body)
    assert network.weights.tobytes() == simulator.weights.tobytes()
    cut = keras.Model(body.inputs, body.layers[-3].output)
    cut.trainable = False
    head = keras.Sequential([cut, keras.layers.Dense(4), keras.layers.Softmax()])
    again = Network.from_keras(head)
    trains = [layer.train for layer in again.layers if hasattr(layer, "train")]
    assert trains == ["none"] * (len(trains) - 1) + ["all"]


def table_with_gaps():
    """Rows with a category, a constant and gaps, and what they are."""
    rng = np.random.default_rng(1)
    x = rng.normal(50, 20, (200, 5)).astype(np.float32)
    x[:, 1], x[:, 3] = rng.integers(0, 4, 200), 7
    y = x[:, 0] + (x[:, 1] == 2) > 50
    x[rng.random(x.shape) < 0.05] = np.nan
    return x, y


FAST = {"budget_bytes": 1024, "noise": 1.0, "spread": "none", "rank": 0}


@pytest.mark.parametrize("kind", ["none", "pca"])
def test_what_pull_wrote_is_planned_as_it_was(keras, kind, tmp_path):
    """Its scaling, categories, gaps and projection are the run's own: off they come."""
    x, y = table_with_gaps()
    network = Network.mlp([6], 1, SGD(momentum=0.9), activation="leaky_relu")
    codec = EntroGeDe(one_hot=(1,), projection=kind, components=None, **FAST).fit(x, y)
    plan = make_plan(codec, network, board=load_board("native"))
    simulator = Simulator(plan, SEED)
    write_model(tmp_path / "a.keras", plan, simulator.weights)
    again = Network.from_keras(load_model(tmp_path / "a.keras"), codec, network.optimizer)
    assert make_plan(codec, again, board=load_board("native")).digest == plan.digest
    assert again.weights.tobytes() == simulator.weights.tobytes()
    other = EntroGeDe(projection="none", **FAST).fit(x, y)
    with pytest.raises(InputError, match="of another run; plan it in the run that it came from"):
        Network.from_keras(load_model(tmp_path / "a.keras"), other)
    with pytest.raises(InputError, match="as `tinydream pull` wrote it; give the codec"):
        Network.from_keras(load_model(tmp_path / "a.keras"))


def test_what_pull_wrote_is_planned_for_rows_on_other_scales(keras, tmp_path):
    """As any model with a scaling in front; targets have other scales, too."""
    x = np.random.default_rng(0).normal(50, 20, (300, 4)).astype(np.float32)
    y = np.stack([x[:, 0] * 3 - 100, x[:, 1] - x[:, 3]], 1)
    fitted = {"task": "regression", "projection": "none", **FAST}
    codecs = [EntroGeDe(**fitted).fit(x * size, y * size) for size in (1.0, 3.0)]
    network = Network.mlp([6], 2, activation="tanh", task="regression", huber=0.5)
    plan = make_plan(codecs[0], network, board=load_board("native"), targets="ab")
    simulator = Simulator(plan, SEED)
    write_model(tmp_path / "a.keras", plan, simulator.weights)
    again = Network.from_keras(load_model(tmp_path / "a.keras"), codecs[1])
    other = Simulator(make_plan(codecs[1], again, board=load_board("native"), targets="ab"))
    other.push(again.weights)
    size = plan.outputs.scale
    assert other.predict(x) / size == pytest.approx(simulator.predict(x) / size, abs=CLOSE)
    assert again.optimizer == Adam()
    model = model_of(keras, mlp)
    model.compile("sgd")
    with pytest.raises(InputError, match="an optimizer of its own; give no other"):
        Network.from_keras(model, None, Adam())


def test_layers_may_belong_to_two_models(keras, reps):
    one = model_of(keras, lambda like, x: like.Dense(3)(like.BatchNormalization()(x)))
    two = keras.Sequential([keras.Input((64,)), *one.layers[1:]])
    assert Network.from_keras(two).layers == Network.from_keras(one).layers


REFUSED = {
    "LSTM, which networks have not; Conv1D and": lambda like, x: like.LSTM(3)(
        like.Reshape((16, 4))(x)
    ),
    "activation 'gelu'.* take one of": lambda like, x: like.Dense(3, "gelu")(x),
    "dilation_rate=.*; larger strides": lambda like, x: like.Conv1D(3, 3, dilation_rate=2)(
        like.Reshape((16, 4))(x)
    ),
    "no bias, .*use_bias=True": lambda like, x: like.Dense(3, use_bias=False)(x),
    "kernel_regularizer='L2'.*weight_decay": lambda like, x: like.Dense(3, kernel_regularizer="l2")(
        x
    ),
    "epsilon=.*build it with 0.001": lambda like, x: like.BatchNormalization(epsilon=1e-5)(x),
    "is a keras.ops.Softmax, which networks have not": lambda like, x: import_keras().ops.softmax(
        like.Dense(3)(x)
    ),
    "is a keras.ops.Abs(olute)?, which networks have not": lambda like, x: import_keras().ops.abs(
        like.Dense(3)(x)
    ),
    "does not take the outputs of": lambda like, x: like.Add()(
        [like.Dense(3)(x), like.Dense(3)(x)]
    ),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_networks_lack_is_named_with_what_would_do(keras, says):
    with pytest.raises(InputError, match=says):
        Network.from_keras(model_of(keras, REFUSED[says]))


def test_compiled_settings_are_kept_or_named(keras):
    model = model_of(keras, lambda like, x: like.Dense(3)(x), 4)
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), logits)
    network = Network.from_keras(model)
    assert network.task == "classification" and network.optimizer == Adam(0.01, decay=0.1)
    for compiled, says in {
        ("rmsprop", logits): "RMSprop, and networks train with SGD or Adam",
        (keras.optimizers.SGD(nesterov=True, momentum=0.9), logits): "SGD has nesterov",
        ("sgd", "mae"): "the loss mae, which networks have not; take one of",
        ("sgd", "sparse_categorical_crossentropy"): "needs softmax .*; or from_logits=True",
    }.items():
        model.compile(*compiled)
        with pytest.raises(InputError, match=says):
            Network.from_keras(model)


def test_a_model_that_does_not_fit_the_rows_is_named(keras, digits, reps):
    with pytest.raises(InputError, match="takes 4 inputs, and the rows have 64"):
        Network.from_keras(model_of(keras, lambda like, x: like.Dense(3)(x), 4), reps)
    plain = EntroGeDe(budget_bytes=4096, projection="none").fit(digits.X, digits.y)
    with pytest.raises(InputError, match=r"never vary were left out, .*--shape 64"):
        Network.from_keras(model_of(keras, mlp), plain)


# ---- rows for fit ----


def test_fit_on_drawn_rows_is_the_device_s_training(keras, digits, reps):
    model = model_of(keras, lambda like, x: like.Dense(10)(like.Dense(8, "tanh")(x)))
    network = Network.from_keras(model)
    plan = make_plan(reps, with_softmax(network), board=load_board("native"), batch=50)
    simulator = Simulator(plan)
    simulator.push(network.weights)
    heard = simulator.train(epochs=2, rate=0.05, fresh=False, seed=SEED)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss)
    rows = drawn_rows(reps, 50, seed=SEED)
    fitted = model.fit(rows, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert fitted == pytest.approx([each.loss for each in heard], rel=1e-4)
    x, y = rows[len(rows) - 1]
    assert len(x) == len(y) == (reps.rows.rows - 1) % 50 + 1


def with_softmax(network):
    return Network([*network.layers, Softmax()], SGD(), shape=network.shape)


@pytest.mark.parametrize("rows", [1, 700, 1797])
def test_a_store_gives_each_row_once_an_epoch(keras, digits, rows):
    x, y = np.arange(rows * 64).reshape(rows, 64), np.arange(rows)
    store = EntroGeDe.encode(x, y)
    data = stored_rows(store, 16, blocks=2)
    orders = []
    for _ in range(2):
        batches = [data[i] for i in range(len(data))]
        got, labels = (np.concatenate(each) for each in zip(*batches, strict=True))
        assert sorted(labels) == list(range(rows)) and (got[:, 0] == 64 * labels).all()
        orders.append(labels.tolist())
        data.on_epoch_end()
    assert rows == 1 or orders[0] != orders[1] and orders[0] != sorted(orders[0])
    with pytest.raises(InputError, match="a batch has 1 row or more, not 0"):
        stored_rows(store, 0)
