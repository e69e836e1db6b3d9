"""How a Keras model was compiled: its loss and its optimiser, as a network has them."""

from dataclasses import dataclass
from typing import Any

from tinydream.errors import InputError
from tinydream.network.layers import SGD, Adam

__all__ = ["Compiled", "read_compiled"]


@dataclass(frozen=True)
class Compiled:
    """optimizer: None when the model was not compiled. head: what the loss wants a model to end
    with, '' for anything; logits: whether the loss brings that head along. huber: its delta, or 0.
    """

    optimizer: SGD | Adam | None = None
    loss: str = ""
    head: str = ""
    logits: bool = False
    huber: float = 0.0


# snake-case name of the loss: what a model ends with
HEADS = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "mean_squared_error": "linear",
    "huber": "linear",
}
SHORT = {"mse": "mean_squared_error", "MSE": "mean_squared_error", "huber_loss": "huber"}


def read_compiled(model: Any) -> Compiled:
    """Raises InputError for a loss, an optimiser, or an option, that networks have not."""
    if getattr(model, "optimizer", None) is None:
        return Compiled()
    optimizer = _optimizer(model.optimizer)
    loss = getattr(model, "loss", None)
    if loss is None:
        return Compiled(optimizer)
    name, config = _loss(loss)
    if name not in HEADS:
        raise InputError(
            f"the model was compiled with the loss {name}, which networks have not; take one of"
            f" {', '.join(HEADS)}"
        )
    if config.get("label_smoothing"):
        raise InputError("networks have no label_smoothing; compile the model without it")
    huber = float(config.get("delta", 1.0)) if name == "huber" else 0.0
    return Compiled(optimizer, name, HEADS[name], bool(config.get("from_logits")), huber)


def _loss(loss: Any) -> tuple[str, dict[str, Any]]:
    """Its name in snake case, and its options."""
    if isinstance(loss, str):
        return SHORT.get(loss, loss), {}
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    kind = type(loss).__name__ if config else getattr(loss, "__name__", type(loss).__name__)
    return {
        "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
        "CategoricalCrossentropy": "categorical_crossentropy",
        "BinaryCrossentropy": "binary_crossentropy",
        "MeanSquaredError": "mean_squared_error",
        "Huber": "huber",
    }.get(kind, SHORT.get(kind, kind)), config


def _optimizer(optimizer: Any) -> SGD | Adam:
    kind, config = type(optimizer).__name__, optimizer.get_config()
    if kind not in ("SGD", "Adam", "AdamW"):
        raise InputError(
            f"the model was compiled with {kind}, and networks train with SGD or Adam; compile it"
            " with one of these"
        )
    instead = {
        "nesterov": "momentum without it is there",
        "amsgrad": "Adam without it is there",
        "clipnorm": "global_clipnorm is there",
        "clipvalue": "global_clipnorm is there",
        "use_ema": "`plan --keep-best` keeps the best weights",
        "gradient_accumulation_steps": "a larger batch takes no more RAM",
    }
    for option, also in instead.items():
        if config.get(option):
            raise InputError(f"{kind} has {option}, which networks have not; {also}")
    rate = config["learning_rate"]
    if isinstance(rate, dict):
        raise InputError(
            f"{kind} has a schedule as its learning_rate; give it a number, and `tinydream plan` a"
            " --schedule"
        )
    own = {
        "rate": float(f"{rate:.7g}"),  # Keras tells float32, 0.009999999776
        "clip": float(config.get("global_clipnorm") or 0),
        "decay": float(config.get("weight_decay") or 0),
    }
    if kind == "SGD":
        return SGD(momentum=float(config["momentum"]), **own)
    betas = (float(config[name]) for name in ("beta_1", "beta_2", "epsilon"))
    return Adam(**own, **dict(zip(("beta1", "beta2", "epsilon"), betas, strict=True)))
