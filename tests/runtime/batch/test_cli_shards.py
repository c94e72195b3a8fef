"""`retina-run --shard`: several runs share the images of one."""

import re
from pathlib import Path

from drawn_retina import drawn_retina
from PIL import Image
from run_folder import pictures, rows

from retinagan.runtime.batch.cli import main


def test_the_shards_of_a_run_do_each_image_once_and_the_next_run_takes_in_their_reports(here, model, capsys):
    good = Path("in/a.png").read_bytes()
    for number in range(12):
        Path(f"in/{number:02}.png").write_bytes(good)
    Path("in/12.png").write_bytes(good[:100])
    codes = [main(["in", "--model", model, "--shard", f"{number}/3"]) for number in (1, 2, 3)]
    assert sorted(codes) == [0, 0, 1]
    said = capsys.readouterr()
    assert re.search(r"^\d+ images of shard 2/3: \d+ done", said.out, re.MULTILINE)
    assert "report: out/rows/run.3-of-3.csv" in said.out
    assert len(pictures()) == 15
    reports = [path.read_text().splitlines()[1:] for path in Path("out/rows").iterdir()]
    assert len(reports) == 3
    assert sum(map(len, reports)) == 16
    assert len({line.split(",")[0] for report in reports for line in report}) == 16
    assert not Path("out/run.csv").exists()

    assert main(["in", "--model", model, "--shard", "2/3"]) in (0, 1)
    Path("in/12.png").write_bytes(good)
    assert main(["in", "--model", model]) == 0
    assert "16 images: 1 done, 15 kept from before" in capsys.readouterr().out
    assert len(rows()) == 16
    assert {row["status"] for row in rows().values()} == {"done"}
    assert sorted(path.name for path in Path("out").iterdir() if "_" not in path.name) == ["run.csv", "sub"]


def test_shards_of_another_count_go_on_with_what_is_done(here, model, capsys):
    for number in (1, 2, 3):
        main(["in", "--model", model, "--shard", f"{number}/3"])
    capsys.readouterr()
    for number in (1, 2):
        assert main(["in", "--model", model, "--shard", f"{number}/2"]) == 0
    said = capsys.readouterr().out
    kept = sum(int(count) for count in re.findall(r"(\d+) kept from before", said))
    assert kept == 3
    assert " 0 done" in said


def test_a_shard_without_an_image_has_nothing_to_do(here, model, capsys):
    codes = {main(["in", "--model", model, "--shard", f"{number}/40"]) for number in range(1, 41)}
    assert codes == {0}
    assert "0 images of shard 1/40: 0 done\nreport: out/rows/run.1-of-40.csv\n" in capsys.readouterr().out
    assert len(pictures()) == 3


def test_shards_name_the_frames_of_files_alike(here, model):
    stack = [Image.fromarray(drawn_retina(angles=(angle,))[0]) for angle in (20, 75)]
    stack[0].save("in/b.tif", save_all=True, append_images=stack[1:])
    for number in (1, 2, 3):
        assert main(["in", "--frames", "all", "--model", model, "--shard", f"{number}/3"]) == 0
    assert main(["in", "--frames", "all", "--model", model]) == 0
    assert {name: row["output"] for name, row in rows().items()} == {
        "a.png": "a",
        "b.jpg": "b",
        "b.tif#1": "b_frame1",
        "b.tif#2": "b_frame2",
        "sub/c.tif": "sub/c",
    }


def test_an_array_of_tasks_that_counts_from_zero(here, model, capsys):
    assert main(["in", "--model", model, "--shard", "0/16"]) == 2
    assert "--array=1-16" in capsys.readouterr().err
