import ssl
from pathlib import Path

import pytest
from dicom_network import certificates

from retinagan.runtime.errors import OptionError
from retinagan.runtime.node.peers import Keys, Peer, ae_title


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return certificates(tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize("title", ["RETINA", "a b", " padded ", "!" * 16])
def test_an_ae_title_is_taken_without_spaces_around_it(title):
    assert ae_title(title, "--aet") == title.strip()


@pytest.mark.parametrize("title", ["", "   ", "x" * 17, "back\\slash", "Ä", "new\nline"])
def test_what_is_no_ae_title_is_refused(title):
    with pytest.raises(OptionError, match=r"^--allow: got .*; expected an AE title: 1 to 16 printable ASCII"):
        ae_title(title, "--allow")


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("ARCHIVE@10.0.0.5:104", Peer("ARCHIVE", "10.0.0.5", 104)),
        ("A@B@pacs.example:11112", Peer("A@B", "pacs.example", 11112)),
        ("ARCHIVE@[::1]:104", Peer("ARCHIVE", "::1", 104)),
    ],
)
def test_a_peer_is_read(text, peer):
    assert Peer.parse(text) == peer


@pytest.mark.parametrize(
    "text", ["", "ARCHIVE", "ARCHIVE@host", "host:104", "A@host:0", "A@host:65536", "A@:1", "A@h:x"]
)
def test_what_is_no_peer_is_refused(text):
    with pytest.raises(OptionError, match=r"^--send: got .*; expected AET@HOST:PORT, such as ARCHIVE@10"):
        Peer.parse(text)


def test_a_peer_is_shown_as_it_was_given():
    assert str(Peer("ARCHIVE", "10.0.0.5", 104)) == "ARCHIVE@10.0.0.5:104"


def test_without_a_certificate_there_is_no_tls():
    assert Keys().for_serving() is None


def test_authorities_make_callers_prove_who_they_are(folder):
    own = folder / "node.pem", folder / "node.key"
    assert Keys(*own).for_serving().verify_mode == ssl.CERT_NONE
    assert Keys(*own, folder / "ca.pem").for_serving().verify_mode == ssl.CERT_REQUIRED


def test_what_is_sent_is_checked_by_the_hosts_name(folder):
    context = Keys(authorities=folder / "ca.pem").for_sending()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert Keys(folder / "node.pem", folder / "node.key").for_sending().check_hostname


def test_files_that_are_no_keys_are_named(folder):
    absent = folder / "absent.pem"
    with pytest.raises(OptionError, match=rf"^--tls-cert {absent}: No such file or directory; exp"):
        Keys(absent).for_serving()
    with pytest.raises(
        OptionError, match=r"--tls-key .*caller.key: .*; expected PEM files of a certificate and its"
    ):
        Keys(folder / "node.pem", folder / "caller.key").for_serving()
    with pytest.raises(
        OptionError, match=rf"^--tls-ca {absent}: No such file or directory; expected a PEM file of"
    ):
        Keys(authorities=absent).for_sending()
    with pytest.raises(
        OptionError, match=r"^--tls-ca .*extensions: .*; expected a PEM file of certificates$"
    ):
        Keys(authorities=folder / "extensions").for_sending()
