from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def agreement(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import measure_agreement

    return measure_agreement


def rows(model, second, first):
    raters = {"model": model, "expert 2": second, "expert 1": first}
    return [{rater: {"length": values[n]} for rater, values in raters.items()} for n in range(len(first))]


FIRST = np.array([10.0, 12, 15, 11, 18])


def test_icc_is_that_of_the_example_by_shrout_and_fleiss(agreement):
    # table 2 of Psychological Bulletin 86, 420-428: six targets, four judges; ICC(2,1) = 0.29
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert agreement.icc(np.array(ratings, float)) == pytest.approx(0.29, abs=0.005)


def test_raters_who_agree_have_an_icc_of_1(agreement):
    assert agreement.icc(np.stack([FIRST, FIRST], axis=1)) == pytest.approx(1)


def test_bias_and_limits_are_those_of_the_differences(agreement):
    found = agreement.Agreement.of(FIRST + np.array([1, 2, 3, 2, 2]), FIRST)
    assert found.bias == pytest.approx(2)
    assert found.spread == pytest.approx(np.sqrt(0.5))
    assert found.limits() == pytest.approx((2 - 1.96 * np.sqrt(0.5), 2 + 1.96 * np.sqrt(0.5)))
    assert found.error == pytest.approx(np.sqrt(4.5))


def test_a_measure_agrees_much_worse_by_its_error(agreement):
    small = np.array([0.1, -0.1, 0.1, -0.1, 0])
    assert agreement.worse(rows(FIRST + 3 * small, FIRST + small, FIRST), ["length"]) == {"length"}
    assert agreement.worse(rows(FIRST + 1.5 * small, FIRST + small, FIRST), ["length"]) == set()


def test_images_without_a_value_are_left_out(agreement):
    second = np.array([np.nan, 12, 15, 11, 18])
    mean, _, found = agreement.compared(rows(FIRST, second, FIRST), "length")
    assert mean == pytest.approx(FIRST[1:].mean())
    assert found.bias == 0
    assert agreement.compared(rows(FIRST, np.full(5, np.nan), FIRST), "length") is None


def test_a_table_has_a_row_for_each_measure_in_per_cent(agreement):
    second = FIRST + np.array([1, -1, 1, -1, 0])
    text = agreement.table(rows(FIRST + 1.32, second, FIRST), ["length"])
    assert text.splitlines()[-1].startswith("| `length` | 13.2 | ")
    assert "+10.0 % (+10.0 to +10.0)" in text


def test_each_measure_is_compared_once(agreement):
    columns = agreement.columns_compared()
    assert "calibre_median_degrees" in columns
    assert "junctions" in columns
    assert not [column for column in columns if "pixel" in column or "millimetre" in column]
