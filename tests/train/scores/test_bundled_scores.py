"""The bundled models' scores through `Segmenter`, as they ship, on some or all of the test images.

The documents' figures are of all of them; the README has the commands.
"""

from fnmatch import fnmatch

import pytest

from retinagan.train.data.description import Description
from retinagan.train.data.files import find_dataset
from retinagan.train.data.images import load_labelled
from retinagan.train.scores.evaluation import FOV, POOLED, WHOLE, measure, score
from retinagan.train.scores.prediction import open_predictor


def scores_of(model, data, wanted="*", split="test", given=None):
    """Scores by region of the test images whose name fits, all pixels pooled."""
    samples = [sample for sample in find_dataset(data, split, given).samples if fnmatch(sample.name, wanted)]
    predictor = open_predictor(model, threads=2)
    with predictor.resources:
        measured = list(
            measure(
                predictor.predict,
                map(load_labelled, samples),
                predictor.thresholding,
            )
        )
    rows = score(measured)
    return {row.region: row.scores for row in rows if (row.map, row.image) == ("model", POOLED)}


@pytest.fixture(scope="module")
def scores(drive):
    """Scores on every second test image."""
    return scores_of("retina-gan-drive", drive, "*[02468]_test")


def test_inside_the_fov(scores):
    inside = scores[FOV]
    assert inside.auc >= 0.980
    assert inside.dice >= 0.829
    assert inside.cldice >= 0.83


def test_over_the_whole_image(scores):
    whole = scores[WHOLE]
    assert whole.accuracy >= 0.969
    assert whole.sensitivity >= 0.85
    assert whole.specificity >= 0.98
    assert whole.dice >= 0.828


def test_the_default_on_the_test_images_of_a_hand_held_camera(chase_db1):
    inside = scores_of("retina-gan", chase_db1)[FOV]
    assert inside.auc >= 0.98
    assert inside.dice >= 0.78


def test_the_small_one_is_not_far_behind(chase_db1):
    inside = scores_of("retina-gan-small", chase_db1)[FOV]
    assert inside.auc >= 0.975
    assert inside.dice >= 0.77


def test_the_default_on_large_images(hrf):
    inside = scores_of("retina-gan", hrf, "01_*", given=Description(test=("0[1-5]_*",)))[FOV]
    assert inside.auc >= 0.975
    assert inside.dice >= 0.755


def test_the_default_on_a_camera_that_it_never_saw(drive):
    inside = scores_of("retina-gan", drive, "0[1-5]_*")[FOV]
    assert inside.auc >= 0.96
    assert inside.dice >= 0.73


def test_the_one_for_research_on_a_camera_that_it_knows_better(drive):
    inside = scores_of("retina-gan-research", drive, "0[1-5]_*")[FOV]
    assert inside.auc >= 0.97
    assert inside.dice >= 0.79
