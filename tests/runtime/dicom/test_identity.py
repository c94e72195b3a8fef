import numpy as np
from dicom_sources import drawn_source, reread
from pydicom.uid import UID

from retinagan.runtime.dicom.identity import content_digest, uid_of


def test_a_name_has_one_uid_and_another_name_another():
    assert uid_of("series", "1.2") == uid_of("series", "1.2")
    assert len({uid_of("a", "bc"), uid_of("ab", "c"), uid_of("abc"), uid_of("a", "b", "c")}) == 4


def test_uids_are_valid():
    for number in range(50):
        uid = UID(uid_of("instance", str(number)))
        assert uid.is_valid
        assert uid.startswith("2.25.")
        assert len(uid) <= 64


def test_the_digest_is_that_of_the_content():
    made = drawn_source()
    assert content_digest(made) == content_digest(reread(made))
    before = content_digest(made)
    pixels = np.frombuffer(made.PixelData, np.uint8).copy()
    pixels[5] ^= 1
    made.PixelData = pixels.tobytes()
    changed = content_digest(made)
    made.PatientID = "another"
    assert len({before, changed, content_digest(made)}) == 3
