"""What is tried on rows held out, and what is followed."""

from pathlib import Path

import numpy as np
from tables import table

import tinydream
from tinydream import load_data
from tinydream.codec import KINDS, EntroGeDe
from tinydream.codec.choose import _split, candidates, choose
from tinydream.codec.condense import _Job
from tinydream.codec.deviation import Model
from tinydream.codec.layout import Space
from tinydream.codec.project import MORE_STEPS, TRIAL_STEPS, Directions
from tinydream.errors import BudgetError
from tinydream.inputs import Outputs

DIGITS = Path(tinydream.__file__).parent / "demo" / "digits.csv.gz"


def test_too_few_rows_to_judge_by_mean_no_projection():
    reps = EntroGeDe(budget_bytes=600).fit(*table(n=140))
    assert reps.trials_ == () and reps.representatives_.inputs.projection is None


def test_no_candidate_that_fits_means_none():
    def build(*given):
        raise BudgetError("too small")

    X, y = table(400, d=8)
    tried = candidates(8, 999, KINDS)
    made = choose(X, y, 4, None, tried, [Model()], lambda Z, y: Space.of(Z, y, 4), build)
    assert made.candidate is made.projection is made.place is None and made.trials == ()
    assert made.model == Model()


def test_groups_are_held_out_whole_and_no_class_is_lost():
    y = np.repeat([0, 1, 2], 200)
    groups = np.repeat(np.arange(12), 50)
    groups[y == 2] = 99  # a class of one group alone
    fit, held = _split(y, 3, groups, len(y))
    assert len(held) and not set(groups[fit]) & set(groups[held])
    assert set(y[fit]) == {0, 1, 2} and 99 not in groups[held]
    y[groups == 99], y[-1] = 0, 2  # now of a single row, which takes its group along
    for shift in range(12):
        given = (groups + shift) % 100
        fit, held = _split(y, 3, given, len(y))
        assert not set(given[fit]) & set(given[held]) and 2 in y[fit]


def test_a_class_too_rare_to_be_drawn_is_fitted_all_the_same():
    y = np.zeros(200_000, np.int32)
    y[[17, 99_999, 150_000]] = 1, 2, 3
    fit, held = _split(y, 4, None, len(y))
    assert set(y[fit]) == {0, 1, 2, 3} and not set(fit) & set(held)
    assert (np.diff(fit) > 0).all() and len(held) == 4000


def test_the_first_is_followed_unless_another_is_better_by_half_the_margin():
    X, y = table(n=1200)
    codec = EntroGeDe(budget_bytes=1500, noise=1.0).fit(X, y)
    first, best = codec.trials_[0], max(codec.trials_, key=lambda trial: trial.score)
    clear = best.score > first.score + best.margin / 2
    assert codec.trials_[codec.chosen_] is (best if clear else first)
    assert {trial.rows for trial in codec.trials_} == {240}


def test_a_trained_projection_goes_on_from_its_trial_with_all_rows():
    X, y = table(n=1200)
    fit, _ = _split(y, 4, None, len(y))
    tried = [each for each in candidates(40, 1500, ("trained",), 6) if each.kind == "trained"]
    job = _Job(EntroGeDe(budget_bytes=1500), 4, Outputs(), 0)
    made = choose(X, y, 4, None, tried, [Model()], job.space, job.rows)
    trial = Directions(X[fit], y[fit], 4).projection("trained", 6, tried[0].bits, TRIAL_STEPS)
    last = Directions(X, y, 4).projection("trained", 6, tried[0].bits, MORE_STEPS, trial.matrix)
    assert made.projection.to_bytes() == last.to_bytes() != trial.to_bytes()
    assert made.candidate == tried[0] and made.place == 0


def test_targets_usually_deviate_with_the_inputs_and_classes_do_not():
    X, y = table(d=10)
    numbers = EntroGeDe(budget_bytes=900).fit(X, X @ np.arange(10) + 0.5)
    assert {trial.model.rank for trial in numbers.trials_[:2]} == {4}
    assert any(trial.model.rank == 0 for trial in numbers.trials_[2:])
    classes = EntroGeDe(budget_bytes=900).fit(X, y)
    assert classes.trials_[0].model.rank == 0
    few = EntroGeDe(budget_bytes=900).fit(X[:, :7], X @ np.arange(10) + 0.5)
    assert {trial.model.rank for trial in few.trials_} == {0}


def test_where_columns_hang_together_a_projection_wins():
    digits = load_data(DIGITS)
    codec = EntroGeDe(budget_bytes=2048).fit(digits.X, digits.y)
    chosen = codec.trials_[codec.chosen_]
    assert chosen.candidate.kind != "none" and chosen.score > codec.trials_[0].score + 0.01
    assert codec.representatives_.inputs.outputs == chosen.candidate.rank


def test_a_random_state_decides_all_that_chance_does_and_nothing_else():
    """Other rows are held out, other networks judge, a projection begins elsewhere."""
    X, y = table(1500, d=9)

    def fit(**options):
        made = EntroGeDe(budget_bytes=700, **options).fit(X, y)
        return made.representatives_.rows.to_bytes(), made.representatives_.inputs.to_bytes(), made

    *a, first = fit()
    *b, again = fit(random_state=0)
    *c, other = fit(random_state=5)
    *d, same = fit(random_state=5)
    assert a == b and c == d and first.trials_ == again.trials_ and other.trials_ == same.trials_
    assert [t.score for t in first.trials_] != [t.score for t in other.trials_]
    forced = {"projection": "trained", "components": 3, "noise": 1.0, "spread": "none", "rank": 0}
    assert fit(**forced)[1] != fit(random_state=5, **forced)[1]
    fixed = forced | {"projection": "none", "components": None}
    assert fit(**fixed)[:2] == fit(random_state=5, **fixed)[:2]


def test_of_a_large_table_a_random_state_decides_which_rows_are_condensed():
    X = np.random.default_rng(1).standard_normal((140_000, 2))
    y = (X[:, 0] > 0).astype(int)
    fixed = {"projection": "none", "noise": 1.0, "spread": "none", "rank": 0}
    made = [EntroGeDe(budget_bytes=300, random_state=s, **fixed).fit(X, y) for s in (0, 0, 1)]
    a, b, c = (each.representatives_.rows.to_bytes() for each in made)
    assert a == b != c
