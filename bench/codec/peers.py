"""Other ways to spend the same bytes on rows: random, stratified, k-means, herding, one mask."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.codec.pack import Rows8, Space

__all__ = ["CHOOSERS", "allocate", "clusters", "random_rows"]

FOURIER = 128  # random features that herding compares means of
CANDIDATES = 8192  # rows that herding chooses from, unless it needs more
MASKED = 65_536  # rows, at most, that one mask is chosen by
EACH = 20  # rows a cluster that k-means is fitted to, when there are more than that
ROUNDS, PASSES = 8, 10  # of seeding, of Lloyd

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


def allocate(rows: int, counts: I64) -> I64:
    """How many of `rows` each class gets: its share, but one at least, and no more than it has.

    With fewer rows than classes the largest classes get one each.
    """
    counts = np.asarray(counts, np.int64)
    rows = min(rows, int(counts.sum()))
    if rows <= len(counts):
        got = np.zeros(len(counts), np.int64)
        got[np.argsort(-counts, kind="stable")[:rows]] = 1
        return got
    share = rows * counts / counts.sum()
    got = np.clip(share.astype(np.int64), 1, counts)
    while (left := rows - int(got.sum())) != 0:
        if left > 0:
            order = np.argsort(np.where(got < counts, got - share, np.inf), kind="stable")
            got[order[: min(left, int((got < counts).sum()))]] += 1
        else:
            order = np.argsort(np.where(got > 1, share - got, np.inf), kind="stable")
            got[order[: min(-left, int((got > 1).sum()))]] -= 1
    return np.asarray(got)


def _classes(space: Space, rows: int) -> Iterator[tuple[I64, int]]:
    """Of each class that gets any: its rows (n_k,), and how many representatives."""
    counts = np.bincount(space.label)
    for k, count in enumerate(allocate(rows, counts).tolist()):
        if count:
            yield np.flatnonzero(space.label == k), count


def _real(space: Space, chosen: I64) -> Rows8:
    chosen = np.sort(chosen)
    values = space.Z[chosen].astype(np.float64)
    return Rows8(values, space.label[chosen], np.ones(len(chosen), np.int64))


def random_rows(space: Space, rows: int, seed: int) -> Rows8:
    """Rows drawn without replacement."""
    return _real(space, np.random.default_rng(seed).permutation(len(space.Z))[:rows])


def _stratified(space: Space, rows: int, seed: int) -> Rows8:
    """Of each class its share; for numbers, one row of each of as many slices by target."""
    generator = np.random.default_rng(seed)
    if len(space.classes):
        parts = [generator.permutation(own)[:m] for own, m in _classes(space, rows)]
        return _real(space, np.concatenate(parts))
    order = np.argsort(space.Z[:, -1], kind="stable")
    slices = np.array_split(order, min(rows, len(order)))
    return _real(space, np.array([generator.choice(each) for each in slices]))


def _k_means(space: Space, rows: int, seed: int) -> Rows8:
    """Weighted means, class by class; for numbers the target is a column."""
    return clusters(space, rows, seed)[0]


def clusters(space: Space, rows: int, seed: int) -> tuple[Rows8, NDArray[np.float64]]:
    """k-means as above, and the spread (r + t,) within clusters, unbiased."""
    values, label, count = [], [], []
    square, seen = np.zeros(space.Z.shape[1]), 0
    generator = np.random.default_rng(seed)
    for own, m in _classes(space, rows):
        some = own
        if len(own) > max(EACH * m, 2000):
            some = generator.choice(own, max(EACH * m, 2000), replace=False)
        Z = space.Z[some].astype(np.float64)
        scaled = (Z * space.stress).astype(np.float32)
        leaf = _cluster(scaled, m, seed) if m < len(Z) else np.arange(len(Z))
        kept, leaf, members = np.unique(leaf, return_inverse=True, return_counts=True)
        mean = np.zeros((len(kept), Z.shape[1]))
        np.add.at(mean, leaf, Z)
        mean /= members[:, None]
        square += ((Z - mean[leaf]) ** 2).sum(axis=0)
        seen += len(Z) - len(kept)
        values.append(mean)
        label.append(np.full(len(kept), space.label[own[0]], np.int32))
        count.append(np.maximum(np.rint(members * len(own) / len(some)), 1).astype(np.int64))
    made = Rows8(np.concatenate(values), np.concatenate(label), np.concatenate(count))
    return made, np.sqrt(square / max(seen, 1))


def _cluster(Z: F32, m: int, seed: int) -> NDArray[np.int64]:
    """Each row's cluster. Less error than MiniBatchKMeans leaves, and sooner at large m."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    centres = _seeds(Z, m, np.random.default_rng(seed))
    model = KMeans(len(centres), init=centres, n_init=1, max_iter=PASSES, algorithm="lloyd")
    with warnings.catch_warnings():  # of equal rows
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit_predict(Z), np.int64)


def _seeds(Z: F32, m: int, generator: np.random.Generator) -> F32:
    """First centres (m, r): in eight rounds, each time rows far from those before are likelier.

    (After "Scalable k-means++", Bahmani and others 2012.)
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    chosen = generator.choice(len(Z), -(-m // ROUNDS), replace=False)
    apart = np.full(len(Z), np.inf)
    new = chosen
    while len(chosen) < m:
        _, distance = pairwise_distances_argmin_min(Z, Z[new], metric="sqeuclidean")
        apart = np.minimum(apart, np.maximum(distance, 0))
        apart[chosen] = 0
        take = min(-(-m // ROUNDS), m - len(chosen), int((apart > 0).sum()))
        if not take:  # fewer distinct rows than m
            break
        new = generator.choice(len(Z), take, replace=False, p=apart / apart.sum())
        chosen = np.concatenate([chosen, new])
    return Z[chosen]


def _herding(space: Space, rows: int, seed: int) -> Rows8:
    """Kernel herding (Chen, Welling, Smola 2010), class by class, in random Fourier features."""
    generator, chosen = np.random.default_rng(seed), []
    for own, m in _classes(space, rows):
        most = max(CANDIDATES, 2 * m)
        some = generator.permutation(own)[:most]
        Z = space.Z[some] * space.stress.astype(np.float32)
        chosen.append(some[_herd(_fourier(Z, generator), m)])
    return _real(space, np.concatenate(chosen))


def _fourier(Z: F32, generator: np.random.Generator) -> F32:
    """Features (n, D) whose products are about a Gaussian kernel's, at the median distance."""
    pairs = generator.integers(0, len(Z), (2, 1000))
    distance = np.median(((Z[pairs[0]] - Z[pairs[1]]) ** 2).sum(axis=1))
    scale = 1 / np.sqrt(max(float(distance), 1e-6))
    direction = generator.normal(0, scale, (Z.shape[1], FOURIER))
    phase = generator.uniform(0, 2 * np.pi, FOURIER)
    return np.cos(Z @ direction.astype(np.float32) + phase.astype(np.float32))


def _herd(features: F32, m: int) -> I64:
    goal = features.mean(axis=0)
    ahead, free = goal.copy(), np.zeros(len(features), np.float32)
    chosen = np.empty(min(m, len(features)), np.int64)
    for t in range(len(chosen)):
        chosen[t] = (features @ ahead + free).argmax()
        free[chosen[t]] = -np.inf
        ahead += goal - features[chosen[t]]
    return chosen


def _one_mask(space: Space, rows: int, seed: int) -> Rows8:
    """The paper's rule, reconstructed: one mask of base bits for all rows, round by round.

    In round r every column's r-th most significant bit that varies splits all groups, while
    there are no more than `rows` of them; each group's mean stands for its rows.
    """
    some = np.random.default_rng(seed).permutation(len(space.Z))[:MASKED]
    Z, label = space.Z[some], space.label[some]
    low, high = Z.min(axis=0), Z.max(axis=0)
    grid = np.rint((Z - low) * (65535 / np.where(high > low, high - low, 1)))
    grid = np.ascontiguousarray(grid.T.astype(np.uint16))
    group = np.unique(label, return_inverse=True)[1].astype(np.int64)
    for bit in range(15, -1, -1):
        for column in grid:
            _, finer = np.unique(2 * group + (column >> bit & 1), return_inverse=True)
            if finer.max() >= max(rows, len(space.classes)):
                return _means(Z, label, group, rows)
            group = finer
    return _means(Z, label, group, rows)


def _means(Z: F32, label: NDArray[np.int32], group: I64, rows: int) -> Rows8:
    _, first, group, count = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    mean = np.stack([np.bincount(group, column, len(count)) / count for column in Z.T], axis=1)
    most = np.sort(np.argsort(-count, kind="stable")[:rows])  # not even a row a class: the largest
    return Rows8(mean[most], label[first][most], count[most])


CHOOSERS: dict[str, Callable[[Space, int, int], Rows8]] = {
    "random": random_rows,
    "stratified": _stratified,
    "k-means": _k_means,
    "herding": _herding,
    "one mask": _one_mask,
}
