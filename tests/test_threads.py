"""Work on several threads, and NumPy's own threads meanwhile."""

from threading import Barrier, Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tinydream.codec.threads import all_at_once, at_once, each_block, one_blas_thread


def blas():
    """Threads of each BLAS that NumPy has loaded."""
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def usual():
    """How many threads it takes when nobody limits it: as many as there are processors."""
    np.ones((2, 2)) @ np.ones((2, 2))  # so that it is loaded
    usual = blas()
    if not usual or min(usual) == 1:
        pytest.skip("NumPy's BLAS has but one thread here")
    return usual


def test_products_keep_to_one_thread_while_it_lasts_and_no_longer(usual):
    with one_blas_thread():
        assert set(blas()) == {1}
        with one_blas_thread():
            assert set(blas()) == {1}
        assert set(blas()) == {1}
    assert blas() == usual


def test_they_are_set_back_after_an_error(usual):
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas() == usual


def test_of_several_at_once_the_first_one_sets_them_back(usual):
    entered, left, seen = Barrier(2), Barrier(2), []

    def second():
        entered.wait(5)
        with one_blas_thread():
            seen.append(set(blas()))
            entered.wait(5)
            left.wait(5)
        left.wait(5)

    other = Thread(target=second)
    other.start()
    with one_blas_thread():
        entered.wait(5)
        entered.wait(5)
    assert seen == [{1}] and blas() == usual
    left.wait(5)
    left.wait(5)
    other.join(5)
    assert blas() == usual


@pytest.mark.parametrize("threads", ["1", "3"])
def test_results_come_in_order(threads, monkeypatch):
    monkeypatch.setenv("TINYDREAM_THREADS", threads)
    assert at_once(lambda x: x * x, range(9)) == [x * x for x in range(9)]
    assert all_at_once([lambda: 1, lambda: "b", lambda: None]) == [1, "b", None]
    blocks = each_block(lambda rows: (rows.start, rows.stop), 10, 4)
    assert blocks == [(0, 4), (4, 8), (8, 10)]
