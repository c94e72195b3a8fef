import base64
import hashlib
import re

from retinagan.runtime.serve.page import PAGE, SECURITY_POLICY

TEXT = PAGE.decode()


def test_the_policy_allows_the_pages_own_script_and_style_alone():
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in SECURITY_POLICY
    assert SECURITY_POLICY.startswith("default-src 'none';")


def test_nothing_is_loaded_from_elsewhere_or_run_from_attributes():
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=|\son\w+=", TEXT)


def test_what_comes_from_the_server_is_shown_as_text():
    assert "innerHTML" not in TEXT
    assert "insertAdjacentHTML" not in TEXT


def test_the_page_asks_for_what_the_server_knows():
    assert set(re.findall(r"<option>(\w+)", TEXT)) == {"overlay", "vessels", "probability"}
    assert 'query.set("field_of_view"' in TEXT
