"""A frozen model in front of compression: its outputs are the features, and new rows take its way.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import json

import numpy as np
import pytest
from verbs import refused

from tinydream.data import load_data
from tinydream.errors import DataError
from tinydream.keras import Extractor
from tinydream.network.quiet import import_keras, quiet
from tinydream.run import Run

COMPRESS = ("compress", "table.csv", "--target", "kind", "--budget-bytes", "400", "--no-store")

pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


def save_models(folder):
    """The same six features of four numbers: flat, of 2 x 2, of one row at a time, and as a map."""
    keras = import_keras()
    like = keras.layers
    keras.utils.set_random_seed(0)
    body = keras.Sequential([keras.Input((4,)), like.Rescaling(0.3), like.Dense(6, "relu")])
    body.save(folder / "flat.keras")
    first = keras.Input((2, 2), batch_size=1)
    square = keras.Model(first, body(like.Flatten()(first)))
    keras.Sequential([body, like.Reshape((3, 2))]).save(folder / "map.keras")
    with quiet():
        import tensorflow as tf

        made = tf.lite.TFLiteConverter.from_keras_model(square).convert()
    (folder / "square.tflite").write_bytes(made)
    return body


@pytest.fixture
def featured(verb, table, tmp_path):
    body = save_models(tmp_path)
    assert verb(*COMPRESS, "--features", "flat.keras", "--validation", "0.1")[0] == 0
    assert verb("plan", "--board", "native", "--epochs", "3", "--validation", "5")[0] == 0
    assert verb("train", "--port", "sim")[0] == 0
    return verb, body


def test_rows_go_through_the_model_now_and_later(featured, tmp_path):
    verb, body = featured
    run, data = Run("run"), load_data("table.csv", target="kind")
    truth = body.predict(data.X_test.astype(np.float32), verbose=0)
    assert run.heldout().X == pytest.approx(truth, abs=1e-5)
    assert run.heldout().y.tolist() == data.y_test.tolist()
    plan, facts = run.plan(), run.read_json("compress.json")
    assert plan.features == tuple(f"f{k}" for k in range(6))
    assert [c["name"] for c in facts["source"]["features"]["columns"]] == list("abcd")
    assert "flat.keras makes 6 features" in " ".join(facts["notes"])
    np.save("new.npy", data.X_test)
    for file in ("table.csv", "new.npy"):
        assert verb("predict", file, "--to", "a.csv")[0] == 0
    device = np.array((tmp_path / "a.csv").read_text().split()[1:])
    verb("predict", "new.npy", "--port", "keras", "--to", "b.csv")
    assert (device == (tmp_path / "b.csv").read_text().split()[1:]).all()
    assert np.mean(device == np.array(data.classes)[data.y_test]) > 0.6
    assert verb("report")[0] == 0
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["features"] == 6 and len(report["accuracy"]["all_rows"]) == 1


def test_a_model_that_is_gone_is_asked_for(featured, tmp_path):
    verb, _ = featured
    (tmp_path / "flat.keras").write_bytes((tmp_path / "map.keras").read_bytes())
    says = "flat.keras, which is gone or has changed; bring it back, or run"
    refused(verb("predict", "table.csv"), 2, says)
    refused(verb("report"), 2, says)
    (tmp_path / "flat.keras").unlink()
    refused(verb("plan", "--board", "native", "--search"), 2, says)
    assert verb("verify")[0] == 0  # held-out rows are kept as features


def test_shapes_are_checked_and_kept(verb, table, tmp_path):
    body = save_models(tmp_path)
    rows = load_data("table.csv", target="kind").X.astype(np.float32)
    found = Extractor.open("square.tflite").features(rows)
    assert found == pytest.approx(body.predict(rows, verbose=0), abs=1e-5)
    assert verb(*COMPRESS, "--features", "square.tflite", "--shape", "2,2")[0] == 0
    assert verb(*COMPRESS, "--features", "map.keras", "--shape", "1,4")[0] == 0
    assert Run("run").read_json("compress.json")["options"]["shape"] == [3, 2]
    refused(
        verb(*COMPRESS, "--features", "square.tflite", "--shape", "4"),
        2,
        "takes rows of 2 x 2 numbers, not --shape 4",
    )
    lines = (tmp_path / "table.csv").read_text().splitlines()
    (tmp_path / "table.csv").write_text("\n".join(f"1,{line}" for line in lines) + "\n")
    refused(
        verb(*COMPRESS, "--features", "flat.keras"),
        2,
        "takes rows of 4 numbers, and the table has 5 columns",
    )
    with pytest.raises(DataError, match="no features of row 3, in which a value is missing"):
        Extractor.open("flat.keras").features(
            np.where(np.arange(5)[:, None] == 2, np.nan, rows[:5])
        )
    keras = import_keras()
    first = keras.Input((None, 4))
    keras.Model(first, keras.layers.Dense(2)(first)).save(tmp_path / "any.keras")
    refused(verb(*COMPRESS, "--features", "any.keras"), 2, "rows of any length; give its inputs")
    first = keras.Input((4,))
    keras.Model(first, [first, first]).save(tmp_path / "two.keras")
    refused(verb(*COMPRESS, "--features", "two.keras"), 2, "has 1 inputs and 2 outputs")
