"""The training core once more, in NumPy, written from SPEC.md alone: the judge of the C.

Every operation is float32 and in the order SPEC states. It is vectorised only across numbers
that do not depend on each other.
"""

import numpy as np
import oracle_layers
from oracle_layers import hash32

F = np.float32


def base(seed, stream):
    return hash32(np.uint32((seed + stream * 0x9E3779B9) & 0xFFFFFFFF))


def exp(x):
    x = np.asarray(x, F)
    low = x < F(-87)
    x = np.minimum(np.maximum(x, F(-87)), F(88))
    n = np.trunc(x * F(1.44269504) + np.where(x < 0, F(-0.5), F(0.5))).astype(np.int32)
    f = n.astype(F)
    r = (x - f * F(0.693145752)) - f * F(1.42860677e-06)
    q = np.full_like(r, F(0.00138146128))
    for c in (0.00836871006, 0.041668389, 0.166665211, 0.49999994):
        q = q * r + F(c)
    y = F(1) + (r + (r * r) * q)
    y = (y.view(np.int32) + (n << 23)).view(F)
    return np.where(low, F(0), y).astype(F)


def log(x):
    u = np.asarray(x, F).view(np.int32)
    e = (u >> 23) - 127
    m = ((u & 0x7FFFFF) | 0x3F800000).view(F)
    big = m >= F(1.41421354)
    m = np.where(big, m * F(0.5), m).astype(F)
    e = (e + big).astype(F)
    f = m - F(1)
    z = f * f
    p = np.full_like(f, F(0.0674664006))
    for c in (
        *(-0.116756521, 0.11888162, -0.124055892, 0.142195523, -0.166679963),
        *(0.200021192, -0.250000089, 0.333333135),
    ):
        p = p * f + F(c)
    return (f + (((f * z) * p - F(0.5) * z) + e * F(1.42860677e-06))) + e * F(0.693145752)


def sigmoid(x):
    x = np.asarray(x, F)
    e = exp(np.where(x < 0, x, -x))
    return np.where(x < 0, e, F(1)) / (F(1) + e)


def tanh(x):
    x = np.asarray(x, F)
    a = np.where(x < 0, -x, x)
    z = np.where(a < F(0.625), x, F(0)) ** 2
    far = F(1) - F(2) / (exp(a + a) + F(1))
    p = np.full_like(z, F(-0.00569738168))
    for c in (0.0206325445, -0.0537377968, 0.133314207, -0.333332807):
        p = p * z + F(c)
    return np.where(a < F(0.625), x + (x * z) * p, np.where(x < 0, -far, far))


def activate(layer, x):
    """An activation layer's outputs."""
    zero = F(0)
    if layer.kind == "linear":
        return x
    if layer.kind == "tanh":
        return tanh(x)
    if layer.kind == "sigmoid":
        return sigmoid(x)
    if layer.kind == "relu6":
        return np.where(x > zero, np.minimum(x, F(6)), zero)
    return np.where(x > zero, x, x * F(layer.limit) if layer.kind == "leaky_relu" else zero)


def gate(layer, y, s):
    """Gradients `s` of an activation's outputs `y` become those of its inputs."""
    zero = F(0)
    if layer.kind == "linear":
        return s
    if layer.kind == "tanh":
        return s * (F(1) - y * y)
    if layer.kind == "sigmoid":
        return s * (y * (F(1) - y))
    if layer.kind == "relu6":
        return np.where((y > zero) & (y < F(6)), s, zero)
    return np.where(y > zero, s, s * F(layer.limit) if layer.kind == "leaky_relu" else zero)


def between(layers):
    """The activations, one behind each operation but the last."""
    return layers[1:-1:2]


def initial_weights(layers, seed):
    """One [W, b] an operation."""
    counter, key, pairs = 0, base(seed, 1), []
    for layer in layers[::2]:
        w, b = oracle_layers.sizes(layer)
        count = int(np.prod(w))
        with np.errstate(over="ignore"):
            h = hash32(key + np.arange(counter, counter + count, dtype=np.uint32))
        draw = (h >> np.uint32(8)).astype(np.int32) - 2**23
        drawn = draw.astype(F) * F(2.0**-23) * F(layer.limit)
        drawn = np.repeat([F(0), F(1), F(1)], *b) if layer.kind == "batch_norm" else drawn
        pairs.append([drawn.reshape(w), np.zeros(b, F)])
        counter += count + b[0]
    return pairs


def pairs_of(layers, flat):
    """All parameters in one row, as one (W, b) pair an operation."""
    pairs, at = [], 0
    for layer in layers[::2]:
        w, b = oracle_layers.sizes(layer)
        n = int(np.prod(w))
        pairs.append((flat[at : at + n].reshape(w), flat[at + n : at + n + b[0]]))
        at += n + b[0]
    return pairs


def moving(layers):
    """Which of all parameters training moves, (parameters,)."""
    flags = []
    for layer in layers[::2]:
        w, b = oracle_layers.sizes(layer)
        flags.append(np.full(int(np.prod(w)), layer.train in ("all", "late")))
        flags.append(np.full(b, layer.train != "none"))
    return np.concatenate(flags)


def forward(layers, pairs, x, keys=()):
    """Inputs (n, d) of rows with these keys -> the inputs of each operation, and the logits."""
    inputs, activations = [], between(layers)
    for i, (w, b) in enumerate(pairs):
        inputs.append(x)
        layer = layers[2 * i]
        if layer.kind == "dropout":
            acc = oracle_layers.dropped(layer, 2 * i, keys, x)
        elif layer.kind == "add":
            acc = x + inputs[layer.beside]
        else:
            acc = oracle_layers.forward(layer, w, b, x)
        x = activate(activations[i], acc) if i + 1 < len(pairs) else acc
    return inputs, x


def softmax_loss(z, y):
    """Logits (n, k), labels (n,) -> gradients (n, k), losses (n,), and how many were right."""
    rows = np.arange(len(z))
    right = int((z.argmax(1) == y).sum())
    largest = z.max(1)
    e = exp(z - largest[:, None])
    total = np.zeros(len(z), F)
    for k in range(z.shape[1]):
        total = total + e[:, k]
    p = e * (F(1) / total)[:, None]
    loss = log(total) - (z[rows, y] - largest)
    p[rows, y] -= F(1)
    return p, loss, right


def mse_loss(z, y):
    """Outputs (n, k), targets (n, k) -> gradients (n, k), losses (n,), and 0."""
    k = F(z.shape[1])
    error = z - y
    total = np.zeros(len(z), F)
    for column in range(z.shape[1]):
        total = total + error[:, column] * error[:, column]
    return error * (F(2) / k), total / k, 0


def soft_loss(z, t):
    """Logits (n, k), shares (n, k) -> gradients (n, k), losses (n,), and how many were right."""
    largest = z.max(1)
    below = z - largest[:, None]
    e = exp(below)
    total, mean = np.zeros(len(z), F), np.zeros(len(z), F)
    for k in range(z.shape[1]):
        total = total + e[:, k]
        mean = mean + t[:, k] * below[:, k]
    right = int((z.argmax(1) == t.argmax(1)).sum())
    return e * (F(1) / total)[:, None] - t, log(total) - mean, right


def bce_loss(z, y):
    """Logits (n, 1), labels (n,) or shares (n, 2) -> gradients (n, 1), losses (n,), hits."""
    z, t, y = z[:, 0], *((y[:, 1], y.argmax(1)) if y.ndim > 1 else (y.astype(F), y))
    small = exp(-np.abs(z))
    total = F(1) + small
    p = np.where(z > 0, F(1), small) / total
    loss = (np.where(z > 0, z, F(0)) - z * t) + log(total)
    return (p - t)[:, None], loss, int(((z > 0) == (y == 1)).sum())


def huber_loss(z, y, delta):
    """Outputs (n, k), targets (n, k) -> gradients (n, k), losses (n,), and 0."""
    k = F(z.shape[1])
    error = z - y
    cut = np.minimum(np.maximum(error, -F(delta)), F(delta))
    total = np.zeros(len(z), F)
    for column in range(z.shape[1]):
        c = cut[:, column]
        total = total + c * (error[:, column] - F(0.5) * c)
    return cut * (F(1) / k), total / k, 0


def row_losses(loss, z, y, delta=0.0):
    """The loss of that name: gradients like z, losses (n,), and how many were right."""
    if loss == "huber":
        return huber_loss(z, y, delta)
    if loss == "cross_entropy" and y.ndim > 1:
        return soft_loss(z, y)
    return {"cross_entropy": softmax_loss, "mse": mse_loss, "bce": bce_loss}[loss](z, y)


def half_wave(u):
    """(1 + cos(pi u)) / 2."""
    v = F(u) - F(0.5)
    w = v * v
    p = F(-0.00700041791)
    for c in (0.0820311755, -0.599247396, 2.55016279, -5.16771269, 3.14159274):
        p = p * w + F(c)
    return F(0.5) - F(0.5) * (v * p)


def rates(knobs):
    """The rate of each epoch."""
    rate = F(knobs.rate)
    for epoch in range(knobs.epochs):
        if knobs.schedule == "step" and epoch and epoch % knobs.every == 0:
            rate = rate * F(knobs.factor)
        if knobs.schedule == "cosine" and epoch:
            share = half_wave(F(epoch) / F(knobs.epochs))
            low = F(knobs.factor)
            rate = F(knobs.rate) * (low + (F(1) - low) * share)
        yield rate


def gradients(layers, pairs, x, y, loss, delta=0.0, grads=None, keys=()):
    """Sums over the batch, in order: one [dW, db] an operation; losses; how many were right.

    grads: what rows before these came to. keys: those of the rows.
    """
    inputs, z = forward(layers, pairs, x, keys)
    d, losses, right = row_losses(loss, z, y, delta)
    grads = grads or [[np.zeros_like(w), np.zeros_like(b)] for w, b in pairs]
    gates = between(layers)
    above = []  # what adds give to the inputs of an operation further down, the lowest add last
    for i in reversed(range(len(pairs))):
        a, layer = inputs[i], layers[2 * i]
        if layer.kind == "dropout":
            acc = oracle_layers.dropped(layer, 2 * i, keys, d)
        elif layer.kind == "add":
            acc, at = d, layer.beside
            above.append((at, gate(gates[at - 1], inputs[at], d)))
        else:
            acc = oracle_layers.backward(layer, pairs[i][0], grads[i], a, d)
        if i:
            d = gate(gates[i - 1], a, acc)
            for more in [more for at, more in reversed(above) if at == i]:
                d = d + more
    return grads, losses, right


class Trainer:
    """Training as td_train does it; `draw(n)` gives the next n rows of the stream of draw_seed."""

    def __init__(self, plan, seed, draw_seed=0):
        self.plan, self.drawn, self.draw_seed = plan, 0, draw_seed
        self.pairs = initial_weights(plan.layers, seed)
        self.optimizer = plan.optimizer
        first = {"all": 0, "bias": 1, "none": 2, "late": 0}
        self.moves = [first[layer.train] for layer in plan.layers[::2]]
        self.state = [[[np.zeros_like(p), np.zeros_like(p)] for p in pair] for pair in self.pairs]
        self.power1 = self.power2 = F(1)

    @property
    def weights(self):
        return np.concatenate([p.ravel() for pair in self.pairs for p in pair])

    def epoch(self, draw, rows, rate):
        """Returns (mean loss, how many were right)."""
        total, right, plan = F(0), 0, self.plan
        for start in range(0, rows, plan.batch):
            n = min(plan.batch, rows - start)
            grads, loss, good = gradients(
                plan.layers, self.pairs, *draw(n), plan.loss, plan.delta, keys=self._keys(n)
            )
            for one in loss:
                total = total + one
            right += good
            statistics = list(self._statistics(grads, n))
            self._update(grads, self._clipped(grads, F(1) / F(n)), F(rate))
            for pair, followed in statistics:
                pair[0] = np.array([*followed, pair[0][2]])
        return total / F(rows), right

    def _keys(self, n):
        """Of the next n rows of the stream."""
        first, self.drawn = self.drawn, self.drawn + n
        keys = []
        for at in range(first, self.drawn):
            turn, position = divmod(at, self.plan.rows.rows)
            keys.append(hash32(hash32((base(self.draw_seed, 3) + turn) & 0xFFFFFFFF) + position))
        return keys

    def _statistics(self, grads, n):
        """Each batch norm's pair and where its mean and variance go; no gradient moves them."""
        for layer, pair, grad, moves in zip(
            self.plan.layers[::2], self.pairs, grads, self.moves, strict=True
        ):
            if layer.kind == "batch_norm" and moves == 0:
                yield pair, oracle_layers.follow(layer, pair[0], grad[0], n)
                grad[0][:2] = 0

    def validate(self, x, y):
        """(rows, how many are right, mean loss) of the validation rows (n, inputs), as they are."""
        losses, right = row_losses(
            self.plan.loss, forward(self.plan.layers, self.pairs, x)[1], y, self.plan.delta
        )[1:]
        total = F(0)
        for one in losses:
            total = total + one
        return len(x), right, total / F(len(x))

    def _clipped(self, grads, scale):
        if not self.optimizer.clip:
            return scale
        total = F(0)
        for grad in (
            p for pair, moves in zip(grads, self.moves, strict=True) for p in pair[moves:]
        ):
            squares = (grad * scale) * (grad * scale)
            for one in squares.ravel():
                total = total + one
        norm, clip = np.sqrt(total), F(self.optimizer.clip)
        return scale * (clip / norm) if norm > clip else scale

    def _update(self, grads, scale, rate):
        o = self.optimizer
        if o.decay:
            share = min(rate * F(o.decay), F(1))
            for pair, moves in zip(self.pairs, self.moves, strict=True):
                pair[moves:] = [p - p * share for p in pair[moves:]]
        if o.kind == "adam":
            self.power1, self.power2 = self.power1 * F(o.a), self.power2 * F(o.b)
            alpha = rate * np.sqrt(F(1) - self.power2) / (F(1) - self.power1)
        for pair, grad, states, moves in zip(
            self.pairs, grads, self.state, self.moves, strict=True
        ):
            for i in range(moves, 2):
                g, s = grad[i] * scale, states[i]
                if o.kind == "adam":
                    s[0] = s[0] + (g - s[0]) * (F(1) - F(o.a))
                    s[1] = s[1] + (g * g - s[1]) * (F(1) - F(o.b))
                    pair[i] = pair[i] - (s[0] * alpha) / (np.sqrt(s[1]) + F(o.c))
                elif o.a:
                    s[0] = F(o.a) * s[0] - rate * g
                    pair[i] = pair[i] + s[0]
                else:
                    pair[i] = pair[i] - rate * g


def train(plan, knobs, draw, validation=None):
    """A whole run: what each epoch tells, as in Metrics up to `best`; and the weights it ends with.

    validation: (x, y) of the plan's validation rows.
    """
    trainer, told = Trainer(plan, knobs.weights_seed, knobs.seed), []
    rows, best, least, kept = knobs.epoch_rows or plan.rows.rows, 0, None, None
    for epoch, rate in enumerate(rates(knobs), 1):
        loss, right = trainer.epoch(draw, rows, rate)
        seen = trainer.validate(*validation) if validation else (0, 0, 0.0)
        if validation and (not best or seen[2] < least):
            best, least, kept = epoch, seen[2], trainer.weights
        step = epoch * -(-rows // plan.batch)
        told.append((epoch, step, rows, right, loss, *seen, best))
        if knobs.patience and epoch - best >= knobs.patience:
            break
    return told, kept if plan.keep_best else trainer.weights
