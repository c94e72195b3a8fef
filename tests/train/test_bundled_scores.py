"""The bundled model's scores through `Segmenter`, as it ships, held to what the documents claim."""

import pytest

from retinagan.train.dataset_files import find_samples
from retinagan.train.datasets import load_labelled
from retinagan.train.evaluation import FOV, POOLED, WHOLE, measure, score
from retinagan.train.prediction import open_predictor


@pytest.fixture(scope="module")
def scores(drive):
    predictor = open_predictor("retina-gan", threads=2)
    with predictor.resources:
        measured = list(
            measure(
                predictor.predict,
                (load_labelled(sample) for sample in find_samples(drive, "test")),
                predictor.threshold,
            )
        )
    rows = score(measured)
    return {row.region: row.scores for row in rows if (row.map, row.image) == ("model", POOLED)}


def test_inside_the_fov(scores):
    inside = scores[FOV]
    assert inside.auc >= 0.980
    assert inside.dice >= 0.828
    assert inside.cldice >= 0.83


def test_over_the_whole_image(scores):
    whole = scores[WHOLE]
    assert whole.accuracy >= 0.969
    assert whole.sensitivity >= 0.84
    assert whole.specificity >= 0.981
