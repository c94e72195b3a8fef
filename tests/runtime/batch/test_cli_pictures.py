"""The pictures that `retina-run --save` adds, and how they look."""

from pathlib import Path

import pytest
from PIL import Image
from run_folder import pictures

from retinagan.runtime.batch.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["in/a.png", "--save", "probability", "overlay"],
        ["in/a.png", "--save", "probability", "--save", "overlay", "vessels"],
        ["in/a.png", "--save", "overlay,probability"],
        ["--save", "overlay", "probability", "in/a.png"],
        ["--save", "overlay", "--save", "probability", "in/*.png"],
    ],
)
def test_save_adds_pictures(here, model, arguments):
    assert main([*arguments, "--model", model]) == 0
    assert pictures() == ["a_overlay.jpg", "a_probability.png", "a_vessels.png"]


def test_overlays_have_the_format_asked_for(here, model, capsys):
    main(["in/a.png", "--model", model, "--save", "overlay", "--overlay-format", "webp"])
    assert pictures() == ["a_overlay.webp", "a_vessels.png"]
    assert main(["in/a.png", "--model", model, "--overlay-format", "gif"]) == 2
    assert "argument --overlay-format: invalid choice: 'gif'" in capsys.readouterr().err


def test_a_panel_is_a_picture_like_the_others(here, model, capsys):
    command = ["in/a.png", "--model", model, "--save", "panel", "--overlay-format"]
    assert main([*command, "png"]) == 0
    assert pictures() == ["a_panel.png", "a_vessels.png"]
    with Image.open("out/a_panel.png") as panel:
        assert panel.info == {"Software": "retina-run"}
        assert panel.width > 4 * 384
    main([*command, "png"])
    assert "1 kept from before" in capsys.readouterr().out
    Path("out/a_panel.png").unlink()
    main([*command, "jpeg"])
    assert pictures() == ["a_panel.jpg", "a_vessels.png"]
    main(["in/a.png", "--model", model, "--overwrite"])
    assert pictures() == ["a_vessels.png"]


def test_overlays_are_coloured_by_what_is_asked_for(here, model, capsys):
    command = ["in/a.png", "--model", model, "--save", "overlay", "--overlay-format", "png"]
    seen = []
    for more in ([], ["--overlay-colour", "probability"], ["--overlay-colour", "calibre"]):
        assert main([*command, *more]) == 0
        assert "kept from before" not in capsys.readouterr().out  # another colour, another picture
        seen.append(Path("out/a_overlay.png").read_bytes())
    assert len(set(seen)) == 3
    main([*command, "--overlay-colour", "calibre"])
    assert "1 kept from before" in capsys.readouterr().out
