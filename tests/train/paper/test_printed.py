import pytest

from retinagan.train.paper.printed import CLAIMS, SYSTEMS, TABLE_1, TABLE_2, Printed, System


def test_every_system_of_both_tables_is_there_once():
    assert len(SYSTEMS) == len(set(SYSTEMS)) == 8
    assert {*TABLE_1, *TABLE_2} == set(SYSTEMS)
    assert (SYSTEMS[0].name, SYSTEMS[0].title) == ("gan-ace", "GAN, ACE")


def test_rates_of_real_pixels_imply_their_share_of_vessels():
    # 100 vessel pixels of which 80 are found, 900 others of which 90 are taken for vessels
    rates = Printed(accuracy=(80 + 810) / 1000, sensitivity=0.8, specificity=0.9)
    assert rates.vessel_share == pytest.approx(0.1)
    assert rates.possible


def test_both_clahe_columns_are_impossible_and_no_other():
    impossible = {system for system, row in TABLE_2.items() if row is not None and not row.possible}
    assert impossible == {System("gan", "clahe"), System("retina-gan", "clahe")}
    assert all(row.possible for row in TABLE_1.values())


def test_every_claim_is_of_two_systems_that_are_trained():
    assert all({claim.better, claim.worse} <= set(SYSTEMS) for claim in CLAIMS)
    assert all(claim.better != claim.worse for claim in CLAIMS)
