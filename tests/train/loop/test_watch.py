import pytest

from retinagan.train.loop.watch import PATIENCE, Watch


def lines(count=2 * PATIENCE, **losses):
    watch = Watch()
    return [line for _ in range(count) for line in watch.look(losses)]


@pytest.mark.parametrize(
    ("expert", "generated", "warning"),
    [
        (
            0.999,
            0.001,
            "the discriminator wins outright (D(x) 0.999, D(G(z)) 0.001 over 200 iterations): "
            "lower --discriminator-learning-rate",
        ),
        (
            0.501,
            0.499,
            "the discriminator learns nothing (D(x) 0.501, D(G(z)) 0.499 over 200 iterations): "
            "raise --discriminator-learning-rate",
        ),
    ],
)
def test_a_useless_discriminator_is_reported_once(expert, generated, warning):
    assert lines(d_expert=expert, d_generated=generated) == [f"warning: {warning}"]


def test_a_fair_quarrel_is_no_reason_to_warn():
    assert lines(d_expert=0.7, d_generated=0.3, vessels=0.12, predicted=0.11) == []


def test_a_short_quarrel_is_no_reason_to_warn():
    assert lines(PATIENCE - 1, d_expert=1.0, d_generated=0.0) == []


def test_maps_without_vessels_are_reported():
    (line,) = lines(vessels=0.001, predicted=0.001)
    assert "hardly a vessel in the last 200 batches (0.10% of the retina in the maps" in line
    assert "look whether the maps are whole and white on black" in line


def test_a_generator_that_predicts_black_is_reported():
    (line,) = lines(vessels=0.12, predicted=0.002)
    assert "predicts hardly a vessel (12.00% of the retina in the maps, 0.20% in its answers)" in line
    assert "lower --learning-rate" in line
