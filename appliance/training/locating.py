"""From the localiser's maps to plates, and how many of the true ones that finds.

`locate` is what the product does with a frame, in the plainest form; the figures of the model
card come from `python -m training evaluate`, which runs the exported file on pictures that
nothing was trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import splits
from .laying import bounds
from .scenes import LONG_SIDE

STRIDE = 4  # input pixels for each cell of the maps
CORNER_UNIT = 16  # input pixels for each unit of a corner offset
MULTIPLE = 32  # of which the network's input sides must be
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
# Widths in input pixels and turns in degrees that the product promises to find, and some on the way.
POSES = ((16, 0), (20, 0), (25, 0), (30, 0), (40, 0), (60, 0), (40, 10), (40, 20), (40, 30), (40, 35), (60, 35))
THRESHOLD = 0.25  # the product's, chosen on the validation parts

# From luma/255 as [1, 1, H, W] to heat logits [1, 1, H/4, W/4] and corners [1, 8, H/4, W/4].
Forward = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class Detection:
    corners: np.ndarray  # (4, 2) float32 in pixels of the picture that was searched
    score: float


def locate(forward: Forward, picture: np.ndarray, threshold: float) -> list[Detection]:
    """Plates in a luma picture of any size, the surest first."""
    scale = min(1.0, LONG_SIDE / max(picture.shape))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    below, right = (-side % MULTIPLE for side in picture.shape)
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)
    heat, corners = forward(padded[None, None].astype(np.float32) / 255)
    return [Detection(d.corners / scale, d.score) for d in decode(heat[0, 0], corners[0], threshold)]


def decode(heat: np.ndarray, corners: np.ndarray, threshold: float) -> list[Detection]:
    """Local peaks of the heat; of two that hold each other's centre the surer stays."""
    score = 1 / (1 + np.exp(-heat))
    peaks = np.argwhere((score >= threshold) & (score == cv2.dilate(score, np.ones((3, 3)))))
    kept: list[Detection] = []
    for row, column in sorted(peaks, key=lambda peak: -score[tuple(peak)]):
        cell = (np.array([column, row]) + 0.5) * STRIDE
        found = Detection(cell + corners[:, row, column].reshape(4, 2) * CORNER_UNIT, float(score[row, column]))
        if not any(holds_centre(a, b) for other in kept for a, b in ((found, other), (other, found))):
            kept.append(found)
    return kept


def holds_centre(outer: Detection, inner: Detection) -> bool:
    x, y, width, height = bounds(outer.corners)
    centre = inner.corners.mean(0)
    return x < centre[0] < x + width and y < centre[1] < y + height


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    """Of two boxes x, y, width, height."""
    shared = np.clip(np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(shared / (a[2:].prod() + b[2:].prod() - shared))


def load(model: Path) -> Forward:
    """The exported network, run by OpenCV as in the product."""
    network = cv2.dnn.readNetFromONNX(str(model))

    def forward(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        network.setInput(picture, "image")
        return tuple(network.forward(("heat", "corners")))

    return forward


def evaluate(forward: Forward, dataset: str, part: str) -> None:
    """Prints, for several thresholds, the true plates found and the detections where no true plate is."""
    rows = splits.truth(dataset)
    pictures = splits.names(dataset, part)
    overlaps = {threshold: [] for threshold in THRESHOLDS}  # the best for each true plate
    elsewhere = dict.fromkeys(THRESHOLDS, 0)
    kinds = []
    for name in pictures:
        picture = cv2.imread(str(splits.picture_path(dataset, name)), cv2.IMREAD_GRAYSCALE)
        boxes = [np.array([float(row[key]) for key in ("x", "y", "width", "height")]) for row in rows[name]]
        kinds += [kind(dataset, name)] * len(boxes)
        found = locate(forward, picture, min(THRESHOLDS))
        for threshold in THRESHOLDS:
            best, false = match([detection for detection in found if detection.score >= threshold], boxes)
            overlaps[threshold] += best
            elsewhere[threshold] += false
    print(f"{dataset} ({part}): {len(pictures)} pictures, {len(kinds)} plates")
    for threshold in THRESHOLDS:
        found = f"found {rate(overlaps[threshold], 0.5)}, at IoU 0.3 {rate(overlaps[threshold], 0.3)}, " if kinds else ""
        print(f"  threshold {threshold}: {found}elsewhere {elsewhere[threshold] / len(pictures):.3f} a picture")
    for name in sorted(set(kinds)) if len(set(kinds)) > 1 else ():
        of_kind = [overlap for overlap, other in zip(overlaps[THRESHOLD], kinds, strict=True) if other == name]
        print(f"  {name}, threshold {THRESHOLD}: found {rate(of_kind, 0.5)}, at IoU 0.3 {rate(of_kind, 0.3)}")


def evaluate_posed(forward: Forward) -> None:
    """Prints what is found of the `us-scenes` evaluation plates at set widths and turns of the whole frame.

    A plate is put in the middle of a 640x384 input; pictures in which it is narrower already are left out.
    """
    rows = splits.truth("us-scenes")
    for width, degrees in POSES:
        overlaps = []
        for name in splits.names("us-scenes", splits.EVALUATE):
            picture = cv2.imread(str(splits.picture_path("us-scenes", name)), cv2.IMREAD_GRAYSCALE)
            x, y, w, h = (float(rows[name][0][key]) for key in ("x", "y", "width", "height"))
            zoom = width / w
            if zoom > 1:
                continue
            reduced = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
            box = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) * zoom
            turn = cv2.getRotationMatrix2D(box.mean(0), degrees, 1)
            turn[:, 2] += (320, 192) - box.mean(0)
            found = locate(forward, cv2.warpAffine(reduced, turn, (640, 384)), THRESHOLD)
            overlaps += match(found, [bounds(box @ turn[:, :2].T + turn[:, 2])])[0]
        print(f"{width} px wide, turned {degrees} degrees: found {rate(overlaps, 0.5)}, at IoU 0.3 {rate(overlaps, 0.3)}")


def kind(dataset: str, name: str) -> str:
    if dataset != "us-scenes":
        return dataset
    if name.startswith("wts-"):
        return "gate cameras"
    return "hand-held" if name.startswith(("car", "us")) else "street cameras"


def rate(overlaps: list[float], wanted: float) -> str:
    right = sum(overlap >= wanted for overlap in overlaps)
    return f"{right}/{len(overlaps)} ({right / len(overlaps):.1%})"


def match(found: list[Detection], boxes: list[np.ndarray]) -> tuple[list[float], int]:
    """For each true box the overlap of the best detection whose centre lies in it; and how many detections miss all."""
    best, false = [0.0] * len(boxes), 0
    for detection in found:
        centre = detection.corners.mean(0)
        overlaps = [
            intersection_over_union(bounds(detection.corners), box) if (abs(centre - box[:2] - box[2:] / 2) < box[2:] / 2).all() else 0.0
            for box in boxes
        ]
        if max(overlaps, default=0.0) < 0.3:
            false += 1
        else:
            best = [max(pair) for pair in zip(best, overlaps, strict=True)]
    return best, false
