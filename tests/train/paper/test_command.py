"""The whole command on drawn retinas, with a budget of two images a system."""

import csv
import re
import shutil

import cv2
import pytest
import torch
from other_layouts import as_plain
from small_dataset import write_dataset

from retinagan.train.commands import main_reproduce as main
from retinagan.train.loop import command as train_command
from retinagan.train.loop import release
from retinagan.train.nets.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.nets.config import GeneratorConfig
from retinagan.train.nets.generator import Generator
from retinagan.train.paper.printed import CLAIMS, SYSTEMS

SMALL = [
    "--iterations",
    "2",
    "--widths",
    "4,8",
    "--working-size",
    "128",
    "--patch",
    "64",
    "--threads",
    "1",
    "--precision",
    "fp32",
]


@pytest.fixture(scope="module", autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def released_all_the_same():
    """Two images teach a model nothing, which a release refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "worth_fault", lambda threshold, scores: "")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a dataset and what the command made of it: runs/ and page/."""
    folder = tmp_path_factory.mktemp("reproduction")
    write_dataset(folder / "drawn", training=1, test=2)
    # as examples/synthetic_fundus.py --count 2 leaves them: of so few none is for test
    as_plain(write_dataset(folder / "more", training=1, test=1), folder / "eyes")
    assert main(arguments(folder, "--synthetic", str(folder / "eyes"))) == 0
    return folder


def arguments(folder, *more):
    places = ["--data", folder / "drawn", "--out", folder / "runs", "--page", folder / "page"]
    return [*map(str, places), *SMALL, *more]


def logged(folder, system):
    with (folder / "runs" / system / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_system_has_the_same_budget(folder):
    for system in SYSTEMS:
        rows = logged(folder, system.name)
        assert len(rows) == 2
        stage = "adversarial" if "gan" in system.model else "images"
        assert {row["stage"] for row in rows} == {stage}
        options = load_checkpoint(folder / "runs" / system.name / "model.pt").record["options"]
        assert (options["model"], options["preprocessing"]["method"]) == (system.model, system.preprocess)


def test_the_page_sets_the_paper_beside_every_figure(folder):
    page = (folder / "page" / "results.md").read_text()
    command = "retina-reproduce --data drawn --iterations 2 --precision fp32 --patch 64"
    assert sorted(page.splitlines()[2].split()) == sorted(
        f"{command} --working-size 128 --widths 4,8 --synthetic eyes".split()
    )
    assert "2 iterations of one whole image cut into 4 patches" in page.replace("\n", " ")
    tables = page.split("## ")
    first = next(part for part in tables if part.startswith("Table 1"))
    cells = [
        cell.strip() for line in first.splitlines() if line.startswith("| Sen") for cell in line.split("|")
    ]
    assert [cell.split(" / ")[0] for cell in cells[2:-1]] == ["0.743", "0.727", "0.775", "0.792"]
    assert all(0.0 <= float(cell.split(" / ")[1]) <= 1.0 for cell in cells[2:-1])
    second = next(part for part in tables if part.startswith("Table 2"))
    assert "GAN, CLAHE" in second
    assert "| - / 0." in second, "the paper has no system without equalization"
    assert "CLAHE (Acc 0.902 above Spe 0.899) and Retina-GAN, CLAHE (Acc 0.946 above Spe 0.923)" in page
    assert "5.3%, 4.7%, 11.9%, 5.9%" in page
    assert str(folder) not in page


def table_of(page, title):
    part = next(part for part in page.read_text().split("## ") if part.startswith(title))
    return [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("| ")][2:]


def lines_of_claims(page):
    return table_of(page, "The paper's claims")


def test_the_page_has_what_the_logs_come_to(folder):
    lines = table_of(folder / "page" / "results.md", "The trainings")
    assert [line[:2] for line in lines[:2]] == [["GAN, ACE", "0-1"], ["GAN, ACE", "1-2"]]
    assert len(lines) == 2 * len(SYSTEMS)
    by_system = {line[0]: line[2:] for line in lines}
    assert by_system["U-Net, ACE"][1:] == ["-"] * 4
    assert float(by_system["U-Net, ACE"][0]) == pytest.approx(
        float(logged(folder, "unet-ace")[1]["pixel"]), abs=0.001
    )
    assert "-" not in by_system["Retina-GAN, none"]


def test_the_page_says_of_each_claim_how_it_fares(folder):
    lines = lines_of_claims(folder / "page" / "results.md")
    assert [line[0].rstrip("?") for line in lines] == [claim.text for claim in CLAIMS]
    assert lines[3][:3] == ["the discriminator by itself helps?", "GAN, ACE", "U-Net, ACE"]
    for line in lines:
        for figure, verdict in (line[3:5], line[5:7]):
            value, low, high = map(float, re.findall(r"[+-][0-9.]+", figure))
            assert low <= value <= high
            assert not (low > 0 and verdict != "above")
            assert not (high < 0 and verdict != "below")
            assert not (low < 0 < high and verdict != "not told apart")


def test_figures_stand_where_the_page_shows_them(folder):
    page = (folder / "page" / "results.md").read_text()
    for number in range(7, 12):
        assert f"(images/figure-{number}.png)" in page
        assert cv2.imread(str(folder / "page" / "images" / f"figure-{number}.png")) is not None
    for number in (7, 8):
        assert cv2.imread(str(folder / "runs" / "panels" / f"figure-{number}.png")) is not None


def test_started_again_it_trains_only_what_is_missing(folder, monkeypatch):
    trained = []
    original = train_command.train

    def watched(plan):
        trained.append(plan.model)
        return original(plan)

    monkeypatch.setattr(train_command, "train", watched)
    before = (folder / "page" / "results.md").read_text()
    (folder / "runs" / "unet-ace" / "model.pt").unlink()
    assert main(arguments(folder, "--synthetic", str(folder / "eyes"))) == 0
    assert trained == ["unet"]
    assert (folder / "page" / "results.md").read_text() == before, "the run went on from its checkpoint"


def test_without_training_what_is_missing_is_said(folder, tmp_path):
    hidden = folder / "runs" / "gan-clahe" / "model.pt"
    hidden.rename(tmp_path / "model.pt")
    try:
        assert main([*arguments(folder), "--page", str(tmp_path), "--no-training"]) == 0
    finally:
        (tmp_path / "model.pt").rename(hidden)
    page = (tmp_path / "results.md").read_text()
    assert "| 0.902 / not trained |" in page
    by_system = {tuple(line[1:3]): line[3] for line in lines_of_claims(tmp_path / "results.md")}
    assert by_system["GAN, ACE", "GAN, CLAHE"] == "not trained"
    assert by_system["GAN, ACE", "GAN, none"] != "not trained"
    assert "figure-7" not in page, "no synthetic images, so none on the page"


def test_models_of_another_dataset_are_not_taken_for_this_ones(folder, tmp_path, capsys):
    write_dataset(tmp_path / "drawn", training=2, test=1)
    assert main([*arguments(folder), "--data", str(tmp_path / "drawn"), "--page", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "was trained on 1 images of drawn, expected the 2 training images of" in error
    assert "choose another --out" in error
    assert not (tmp_path / "results.md").exists()


def test_a_folder_without_drawn_images_is_said_before_the_trainings(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_command, "train", lambda plan: pytest.fail("it trained"))
    write_dataset(tmp_path / "drawn", training=1, test=1)
    (tmp_path / "empty").mkdir()
    assert main([*arguments(tmp_path), "--synthetic", str(tmp_path / "empty")]) == 2
    assert "empty holds no dataset of a known layout" in capsys.readouterr().err


def test_a_model_that_does_not_say_how_it_was_trained_is_none_of_these(folder, tmp_path, capsys):
    model = folder / "runs" / "gan-ace" / "model.pt"
    model.rename(tmp_path / "model.pt")
    try:
        Checkpoint(Generator(GeneratorConfig(widths=(4, 8))), record={"options": {}}).save(model)
        assert main([*arguments(folder), "--page", str(tmp_path)]) == 2
    finally:
        (tmp_path / "model.pt").replace(model)
    assert "gan-ace/model.pt has no record of its training; choose another --out" in capsys.readouterr().err


def test_what_was_not_copied_is_left_out(folder, tmp_path):
    for model in (folder / "runs").glob("*/model.pt"):
        (tmp_path / "runs" / model.parent.name).mkdir(parents=True)
        shutil.copyfile(model, tmp_path / "runs" / model.parent.name / model.name)
    places = ["--out", str(tmp_path / "runs"), "--page", str(tmp_path / "page")]
    assert main([*arguments(folder), *places, "--no-training"]) == 0
    page = (tmp_path / "page" / "results.md").read_text()
    assert "## The trainings" not in page
    assert (tmp_path / "runs" / "panels" / "figure-7.png").is_file()


def test_the_page_says_where_the_models_lie_and_what_they_were_trained_in(folder, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "docs" / "reproduction")
    words = arguments(folder, "--no-training")
    words[words.index("fp32")] = "bf16"
    places = ["--out", str(tmp_path / "docs" / "reproduction"), "--page", str(tmp_path / "docs")]
    assert main([*words, *places]) == 0
    page = (tmp_path / "docs" / "results.md").read_text()
    assert "[reproduction](reproduction)" in page
    assert "--precision fp32" in page


def test_an_unknown_option_is_said_by_this_command(folder, capsys):
    assert main([*arguments(folder), "--magic"]) == 2
    assert capsys.readouterr().err == (
        "retina-reproduce: unknown to this command and to retina-train: --magic; "
        "see retina-reproduce --help\n"
    )


def test_a_stopped_training_ends_the_command(tmp_path, monkeypatch):
    write_dataset(tmp_path / "drawn", training=1, test=1)
    monkeypatch.setattr(train_command, "train", lambda plan: 143)
    assert main(arguments(tmp_path)) == 143
    assert not (tmp_path / "page" / "results.md").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--iterations", "0"], "--iterations: got 0; expected a whole number from 1"),
        (["--model", "unet"], "--model: each system of the paper sets its own; leave it out"),
        (["--preprocess=none"], "--preprocess=none: each system of the paper sets its own"),
        (["--data", "nowhere"], "nowhere: expected a dataset with folders training and test"),
        (["--patch", "100"], "patches that divide the working size of 128 pixels, such as --patch 128"),
        (["--split", "all"], "--split all: the test images are for scoring; leave out --split"),
        (["--init", "retina-gan"], "--init retina-gan: no checkpoint fits all of the paper's systems"),
        (["--synthetic", "nowhere"], "--synthetic nowhere: no such folder; create one with examples"),
        (["--page", "file/sub"], "--page file/sub: expected a folder to write to (Not a directory)"),
        (["--no-training"], "no system is trained with this budget; leave out --no-training"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    write_dataset(tmp_path / "drawn", training=1, test=1)
    assert main(arguments(tmp_path, *more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-reproduce: ")
    assert message in error
    assert len(error.splitlines()) == 1
