"""Write the snapshot of pycuda's interface that the tests hold their stand-in for it to.

Usage: python tests/data/pycuda_api/regenerate.py   (with pycuda installed; gcc and binutils; no GPU needed)
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
CLASSES = ("Context", "Device", "DeviceAllocation", "PagelockedHostAllocation", "Stream")
SHOW = f"""
import json, pycuda, pycuda.driver as driver
def names(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))
shown = {{"driver": names(driver)}} | {{kind: names(getattr(driver, kind)) for kind in {CLASSES}}}
print(json.dumps([pycuda.VERSION_TEXT, shown]))
"""


def main() -> None:
    """Import pycuda over a driver that does nothing, and write the public names of what is used."""
    from fake_gpu import compile_driver_for_pycuda

    with tempfile.TemporaryDirectory() as folder:
        compile_driver_for_pycuda(Path(folder))
        environment = os.environ | {"LD_LIBRARY_PATH": folder}
        shown = subprocess.run(
            [sys.executable, "-c", SHOW], env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    version, names = json.loads(shown)
    text = json.dumps(names, separators=(",", ":")).replace("],", "],\n")
    (HERE / f"{version}.json").write_text(text + "\n")
    print(version, sum(map(len, names.values())), "names")


if __name__ == "__main__":
    main()
