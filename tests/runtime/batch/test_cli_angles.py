"""`retina-run` and the camera's angle: what a row says of it, and what follows from it."""

from run_folder import angles

from retinagan.runtime.batch.cli import main


def test_a_row_says_the_angle_and_what_follows_from_it(here, scaled_model, capsys):
    main(["in", "--model", scaled_model])
    assert angles() == {("45", "assumed", "96")}
    main(["in", "--model", scaled_model, "--field-of-view", "60"])
    assert angles() == {("60", "given", "128")}
    capsys.readouterr()
    main(["in", "--model", scaled_model, "--field-of-view", "60"])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")


def test_another_density_is_another_run(here, scaled_model, capsys):
    main(["in", "--model", scaled_model])
    main(["in", "--model", scaled_model, "--pixels-per-degree", "1.4"])
    assert angles() == {("45", "assumed", "64")}
    capsys.readouterr()
    main(["in", "--model", scaled_model, "--pixels-per-degree", "1.4"])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")
    assert main(["in", "--model", scaled_model, "--pixels-per-degree", "26"]) == 2
    assert capsys.readouterr().err.startswith("retina-run: pixels per degree: got 26; expected 0.6 to 3, aro")


def test_a_model_of_one_size_says_that_it_takes_no_angle(here, model, capsys):
    assert main(["in", "--model", model, "--field-of-view", "60"]) == 0
    assert angles() == {("", "fixed", "128")}
    assert capsys.readouterr().err == (
        "retina-run: warning: --field-of-view has no effect on maps: model tiny has a fixed working size of "
        "128 pixels\n"
    )
    main(["in", "--model", model])
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")


def test_an_angle_that_no_camera_has(here, scaled_model, capsys):
    assert main(["in", "--model", scaled_model, "--field-of-view", "5"]) == 2
    message = "field of view of 5 degrees; expected the camera's angle, 10 to 220, such as 45"
    assert message in capsys.readouterr().err
