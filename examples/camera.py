"""Overlay the vessels on a video or a camera's frames, with a line of timings; write a video or show it.

python examples/camera.py visit.mp4 --out overlay.mp4    every frame of a video file
python examples/camera.py 0 --show                       the first camera, newest frames, until q or Ctrl-C
python examples/camera.py 0 --out overlay.mp4 --frames 300
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from retinagan.runtime import RetinaGanError, Segmenter, draw_overlay
from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.stream.stream import FrameResult, Stream

WINDOW = "vessels (q ends)"


def open_source(name: str) -> cv2.VideoCapture:
    """Open a video file, or the camera with this number."""
    capture = cv2.VideoCapture(int(name) if name.isdigit() else name)
    if not capture.isOpened():
        what = (
            f"camera {name} cannot be opened" if name.isdigit() else f"OpenCV cannot read {name} as a video"
        )
        raise SystemExit(f"{what}; give a video file or a camera's number, such as 0")
    return capture


def frames_of(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    """Yield frames, (H, W, 3) uint8 BGR, each a new array, until the source ends."""
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield frame


def drawn(result: FrameResult, rate: float, dropped: int) -> np.ndarray:
    """Return the frame with its vessels, or with its error, and a line of timings; (H, W, 3) uint8 BGR."""
    if result.segmentation is None:
        picture, line = result.frame.copy(), f"{result.number}: {result.error}"
    else:
        segmentation = result.segmentation
        overlay = draw_overlay(as_rgb8(result.frame, "bgr"), segmentation.vessels, segmentation.roi)
        picture = np.ascontiguousarray(overlay[:, :, ::-1])
        line = f"{result.number}: {1000 * result.latency:.0f} ms, engine {1000 * result.seconds['infer']:.0f}"
    line = f"{line}, {rate:.1f}/s, {dropped} dropped" if result.error is None else line
    height = picture.shape[0]
    for color, width in ((0, 0, 0), 3), ((255, 255, 255), 1):
        cv2.putText(picture, line, (8, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, width, cv2.LINE_AA)
    return picture


class VideoFile:
    """A video of the first picture's size; it gets its final name when it is complete."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, picture: np.ndarray) -> None:
        """Add a picture, (H, W, 3) uint8 BGR."""
        if self._writer is None:
            self._size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(self._unfinished), code, self._rate, self._size)
            if not writer.isOpened():
                raise SystemExit(f"{self._path} cannot be written; name an .mp4 file in a folder that exists")
            self._writer = writer
        if self._size != (picture.shape[1], picture.shape[0]):
            picture = cv2.resize(picture, self._size)  # the writer silently drops other sizes
        self._writer.write(picture)

    def finish(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.release()
            self._unfinished.replace(self._path)


def shown(picture: np.ndarray) -> bool:
    """Show a picture; return False once the user presses q."""
    try:
        cv2.imshow(WINDOW, picture)
        return cv2.waitKey(1) != ord("q")
    except cv2.error:
        raise SystemExit("this OpenCV has no windows: pip install opencv-python, or use --out") from None


def run(stream: Stream, video: VideoFile | None, show: bool) -> None:
    """Draw all results; Ctrl-C is the usual way to stop a camera."""
    try:
        with stream:
            for result in stream:
                statistics = stream.statistics()
                picture = drawn(result, statistics.rate, statistics.dropped)
                if video is not None:
                    video.write(picture)
                if show and not shown(picture):
                    break
    except KeyboardInterrupt:
        pass
    finally:
        if video is not None:
            video.finish()
    print(stream.statistics())


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Show the vessels in a video or in a camera's frames.")
    parser.add_argument("source", help="video file, or a camera's number")
    parser.add_argument("--out", type=Path, help="video to write, .mp4")
    parser.add_argument("--show", action="store_true", help="show the pictures in a window")
    parser.add_argument("--policy", choices=("every", "latest"), help="default: latest for cameras")
    parser.add_argument("--frames", type=int, help="stop after this many frames")
    parser.add_argument("--model", help="bundled model, ONNX file or engine")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads of the engine")
    options = parser.parse_args(arguments)
    if options.out is None and not options.show:
        parser.error("give --out FILE.mp4, --show, or both")
    policy = options.policy or ("latest" if options.source.isdigit() else "every")
    capture = open_source(options.source)
    try:
        with Segmenter(
            options.model, device=options.device, color="bgr", threads=options.threads
        ) as segmenter:
            segmenter.warmup()
            video = options.out and VideoFile(options.out, capture.get(cv2.CAP_PROP_FPS) or 25.0)
            frames = islice(frames_of(capture), options.frames)
            run(segmenter.stream(frames, policy=policy), video, options.show)
    except RetinaGanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        capture.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
