"""The options of `retina-train`."""

import argparse

from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser
from retinagan.train.data.files import ALL, TRAINING
from retinagan.train.data.given import named_angle, named_text
from retinagan.train.data.matching import EXPERTS
from retinagan.train.loop.devices import DEVICES, PRECISIONS
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.nets.config import MODELS, STEMS

EPILOG = """\
The folder of the run receives model.pt at the end, patches.pt after the first stage if another follows, and
checkpoint.pt, log.csv, options.json and, with --validation, validation.csv during the run. The same command
resumes an interrupted run where it stopped, bit for bit. The paper's own schedule is --iterations 0
--adversarial-iterations 4000. To train on several GPUs or machines, use torchrun:
torchrun --nproc-per-node 2 -m retinagan.train.commands --data ... (docs/training.md).
"""

_STANDARD = TrainingOptions()
_NUMBERS: tuple[tuple[str, float, str, str], ...] = (
    ("--iterations", _STANDARD.patches.iterations, "N", "iterations on patches, with the pixel loss alone"),
    ("--adversarial-iterations", _STANDARD.adversarial.iterations, "N",
     "iterations against the discriminator after that, on whole images"),
    ("--batch", _STANDARD.batch, "N", "patches in a batch, all processes together"),
    ("--image-batch", _STANDARD.image_batch, "N", "whole images in a batch against the discriminator"),
    ("--reuse", _STANDARD.reuse, "N", "iterations on patches between newly jittered images"),
    ("--learning-rate", _STANDARD.patches.learning_rate, "RATE", "peak rate on patches"),
    ("--adversarial-learning-rate", _STANDARD.adversarial.learning_rate, "RATE",
     "the generator's peak rate against the discriminator"),
    ("--discriminator-learning-rate", _STANDARD.adversarial.discriminator_learning_rate, "RATE",
     "the discriminator's peak rate"),
    ("--pixel-weight", _STANDARD.patches.pixel_weight, "W", "weight of binary cross-entropy"),
    ("--dice-weight", _STANDARD.patches.dice_weight, "W", "weight of 1 - Dice"),
    ("--adversarial-weight", _STANDARD.adversarial.adversarial_weight, "W",
     "weight of the generator's adversarial loss"),
    ("--teacher-weight", _STANDARD.teacher_weight, "SHARE",
     "weight of the teacher's maps relative to the experts', 0 to 1"),
    ("--validation", _STANDARD.validation, "N",
     "images of each dataset to hold out; they are scored during the run, and choose the threshold"),
    ("--validation-every", 250, "N", "iterations between scorings of the held-out images"),
    ("--colour-jitter", 1.0, "FACTOR", "strength of the colour augmentation, 0 for none"),
    ("--warped", _STANDARD.geometry.warped, "SHARE", "share of patches that are rotated and scaled"),
    ("--ema", _STANDARD.ema, "DECAY", "decay of the running average of the weights, 0 for none"),
    ("--seed", _STANDARD.seed, "N", "seed of weights, batches and augmentation"),
    ("--checkpoint-minutes", 3.0, "M", "minutes between checkpoints"),
    ("--snapshots", 0, "N", "iterations between models kept as iteration-N.pt, 0 for none"),
)  # fmt: skip


def build_parser(command: str = "retina-train") -> CommandParser:
    """Build the parser; its errors name `command`."""
    parser = CommandParser(command, "Train a vessel segmentation model.", EPILOG, wrap=True)
    add = parser.add_argument
    add("--data", required=True, nargs="+", metavar="DIR",
        help="dataset folders: DRIVE, CHASE_DB1, STARE, HRF, or images/ with labels/; batches draw "
        "from all of them in equal parts")  # fmt: skip
    add("--weights", type=_weights, default=(), metavar="W,W,...",
        help="share of each dataset of --data in the batches, in any unit (default: equal)")  # fmt: skip
    add("--experts", choices=EXPERTS, default=_STANDARD.experts,
        help="whose vessel maps to learn from: both takes either one's in turn, at random, where an image "
        "has two (default: %(default)s)")  # fmt: skip
    add("--split", choices=(TRAINING, ALL), default=TRAINING,
        help="train on the training images or on all images (default: %(default)s)")  # fmt: skip
    add("--test-images", action="append", default=[], type=named_text, metavar="NAME=PATTERNS",
        help="images reserved for testing in the dataset folder NAME, as patterns of their file names, such "
        "as HRF=0[1-5]_* (default: the split of its layout); may be repeated")  # fmt: skip
    add("--field-of-view", action="append", default=[], type=named_angle, metavar="NAME=DEGREES",
        help="camera angle of the dataset folder NAME (default: from its dataset.json or its layout); may be "
        "repeated")  # fmt: skip
    add("--out", default="runs/retina-gan", metavar="DIR", help="folder of the run (default: %(default)s)")
    add("--model", choices=MODELS, default="retina-gan", help="system to train (default: %(default)s)")
    add("--init", default="", metavar="MODEL",
        help="checkpoint to start from: a file or a bundled name (default: none)")  # fmt: skip
    shape = parser.add_argument_group("options taken from the model of --init if not given").add_argument
    shape("--preprocess", metavar="METHOD", help="ace, clahe or none (default: ace)")
    shape("--working-size", type=int, metavar="PIXELS",
          help="side to which the square around the retina is resized (default: 512)")  # fmt: skip
    shape("--pixels-per-degree", type=float, metavar="P",
          help="scale the square by the camera angle instead: P pixels per degree")  # fmt: skip
    shape("--largest-magnification", type=float, metavar="FACTOR",
          help="how much --pixels-per-degree may enlarge an image of fewer pixels per degree (default: 1, "
          "not at all)")  # fmt: skip
    shape("--patch", type=int, metavar="PIXELS",
          help="side of a patch (default: a quarter of the square's side, or the next larger side that "
          "fits)")  # fmt: skip
    shape("--widths", type=_channels, metavar="N,N,...",
          help="channels of each scale of the generator (default: 16,32,64,128)")  # fmt: skip
    shape("--steps", type=int, metavar="N", help="feedback steps of a recurrent layer (default: 2)")
    shape("--layers", type=int, metavar="N", help="recurrent layers in a block (default: 1)")
    shape("--stem", type=int, choices=STEMS,
          help="side in pixels of the blocks that the net takes in and gives out (default: 1)")  # fmt: skip
    for flag, value, unit, text in _NUMBERS:
        add(flag, type=type(value), default=value, metavar=unit, help=f"{text} (default: %(default)s)")
    add("--scale", type=_magnifications, default=_STANDARD.geometry.scale, metavar="LOW,HIGH",
        help="range of the magnification of scaled patches (default: 0.75,1.6)")  # fmt: skip
    add("--teacher", default="", metavar="MODEL",
        help="checkpoint whose vessel maps are also learned from, on patches (default: none)")  # fmt: skip
    add("--terms", action="append", default=[], metavar="[NAME=]TEXT",
        help="terms of use of the data, or of the dataset folder NAME, kept in the model's record; may be "
        "repeated")  # fmt: skip
    add("--citation", action="append", default=[], type=named_text, metavar="NAME=TEXT",
        help="publication to name with the dataset folder NAME, kept in the model's record (default: from "
        "its dataset.json or its layout); may be repeated")  # fmt: skip
    add("--accumulate", type=int, metavar="N",
        help="parts that a batch is split into, to save memory (default: one per process)")  # fmt: skip
    add("--device", choices=DEVICES, default="auto", help="device to train on (default: %(default)s)")
    add("--precision", choices=("auto", *PRECISIONS), default="auto",
        help="number format of convolutions (default: bf16 or fp16 if the device has it)")  # fmt: skip
    add(
        "--no-autocast",
        dest="precision",
        action="store_const",
        const="fp32",
        help="the same as --precision fp32",
    )
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add("--jitter-workers", type=int, metavar="N",
        help="processes that jitter images in advance (default: depends on the number of cores)")  # fmt: skip
    add(
        "--tensorboard",
        action="store_true",
        help="also write the figures of log.csv and validation.csv for TensorBoard",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _channels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected channels such as 16,32,64") from None


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected numbers such as 1,1,2") from None


def _magnifications(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected two factors such as 0.75,1.6") from None
    return low, high
