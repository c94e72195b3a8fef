from pathlib import Path

import pytest
from PIL import features
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import EngineError
from retinagan.runtime.batch.opening import add_shared_options, kinds_to_save, opened
from retinagan.runtime.console.command import CommandParser
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing


def parsed(*arguments: str, **more):
    parser = CommandParser("retina-test", "A test.")
    others = {"out": "out", "overwrite": False, "shard": None, "report": False, "report_names": None}
    others |= {"measure": False, "every_measure": False}
    parser.set_defaults(**{**others, "quiet": False, **more})
    add_shared_options(parser)
    options = parser.parse_args(arguments)
    options.kinds, rest = kinds_to_save(options.save, parser)
    assert rest == []
    return options


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_opened_is_closed_at_the_end(here):
    model = str(write_tiny_model(here))
    with opened(parsed("--model", model, "--save", "overlay"), "retina-test") as (batch, folder, report):
        assert folder.path == Path("out")
        assert report.settings.model == "tiny"
        assert list(batch.run([])) == []
    assert [path.name for path in Path("out").iterdir()] == ["run.csv"]
    with pytest.raises(EngineError, match="closed"):
        batch._steps._adapter.check_open()


def test_warnings_name_the_command(here, capsys):
    spec = tiny_spec(preprocessing=Preprocessing("none", 5.0, 96))
    model = str(write_tiny_model(here, spec))
    message = (
        "warning: --field-of-view has no effect on maps: model tiny has a fixed working size of 96 pixels"
    )
    with opened(parsed("--model", model, "--field-of-view", "30"), "retina-test"):
        assert capsys.readouterr().err == f"retina-test: {message}\n"
    with opened(parsed("--model", model, "--field-of-view", "30", quiet=True), "retina-test"):
        assert capsys.readouterr().err == ""


def test_kinds_come_in_their_order_and_what_follows_them_is_kept_apart(here):
    Path("scan.png").touch()
    parser = CommandParser("retina-test", "A test.")
    assert kinds_to_save([], parser) == (("vessels",), [])
    assert kinds_to_save(["overlay,probability", "scan.png", "*.tif"], parser) == (
        ("vessels", "probability", "overlay"),
        ["scan.png", "*.tif"],
    )
    with pytest.raises(OptionError, match=r"^argument --save: got 'maps'; expected vessels, probability,"):
        kinds_to_save(["maps"], parser)


def test_a_colour_needs_an_overlay_and_a_panel_letters(here, monkeypatch):
    model = str(write_tiny_model(here))
    colour = parsed("--model", model, "--overlay-colour", "calibre")
    with (
        pytest.raises(OptionError, match="no overlay is written; add --save overlay"),
        opened(colour, "test"),
    ):
        pass
    with opened(parsed("--model", model, "--overlay-colour", "calibre", "--save", "panel"), "test") as place:
        assert place.report.settings.overlay_colour == "calibre"
    monkeypatch.setattr(features, "check", lambda name: False)
    panel = parsed("--model", model, "--save", "panel")
    with (
        pytest.raises(OptionError, match="--save panel: this Pillow was built without"),
        opened(panel, "test"),
    ):
        pass
