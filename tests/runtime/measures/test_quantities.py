from retinagan.runtime.measures.quantities import QUANTITIES, Quantity, Scale


def test_a_length_has_a_column_for_each_unit():
    found = dict(Quantity("calibre", 1).in_units(10.0, Scale(degrees=0.05, millimetres=None)))
    assert found == {"calibre_pixels": 10.0, "calibre_degrees": 0.5, "calibre_millimetres": None}


def test_what_is_per_length_is_divided():
    found = dict(Quantity("curvature", -1).in_units(0.1, Scale(degrees=0.05, millimetres=0.01)))
    assert found == {
        "curvature_per_pixel": 0.1,
        "curvature_per_degree": 2.0,
        "curvature_per_millimetre": 10.0,
    }


def test_a_plain_number_has_one_column_and_keeps_its_type():
    ((column, value),) = Quantity("junctions").in_units(7, Scale())
    assert (column, value) == ("junctions", 7)
    assert isinstance(value, int)


def test_what_is_not_known_is_none_in_all_units():
    assert set(dict(Quantity("calibre", 1).in_units(None, Scale(1.0, 1.0))).values()) == {None}


def test_no_column_is_there_twice():
    columns = [column for quantity in QUANTITIES for column in quantity.columns()]
    assert len(columns) == len(set(columns))
