import numpy as np
import pytest

from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import square_crop
from retinagan.runtime.steps.region import LatestRegion, Region
from retinagan.runtime.steps.rim import with_rim


def retina_of(radius: int = 150) -> Retina:
    disc = Disc(170, 170, radius)
    return Retina(disc.drawn((341, 341)), disc)


def crop_of(retina: Retina, size: int = 256):
    return square_crop(retina.disc, retina.mask.shape, size)


def test_masks_of_frame_and_square_can_only_be_read():
    retina = retina_of()
    crop = crop_of(retina)
    region = Region(retina, crop)
    np.testing.assert_array_equal(region.roi, crop.cut_mask(retina.mask))
    np.testing.assert_array_equal(region.wide, with_rim(retina, crop))
    for mask in (region.roi, region.wide):
        with pytest.raises(ValueError, match="read-only"):
            mask[0, 0] = True


def test_what_is_made_once_is_kept():
    region = Region(retina_of(), crop_of(retina_of()))
    assert region.roi is region.roi
    assert region.wide is region.wide
    assert region.rim is region.rim


def test_the_latest_region_lasts_as_long_as_retina_and_square():
    regions, retina = LatestRegion(), retina_of()
    first = regions(retina, crop_of(retina))
    assert regions(retina, crop_of(retina)) is first
    other = regions(retina, crop_of(retina, 128))
    assert (other.roi.shape, first.roi.shape) == ((128, 128), (256, 256))
    equal = retina_of()
    assert regions(equal, crop_of(equal, 128)) is not other
