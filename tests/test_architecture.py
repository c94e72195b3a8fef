import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_each_module_of_train_is_named():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("## The modules of train")[1].split("\n## ")[0]
    modules = {path.stem for path in (ROOT / "train").glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"`(\w+)`", section))
