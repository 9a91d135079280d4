"""Which pictures train the networks, which choose between trained weights, and which judge them.

A picture's part depends on its name alone, so that every command and every later training
run draws the same line. `EVALUATE` pictures are never trained on and nothing is tuned on
them; `VALIDATE` pictures choose checkpoints and thresholds; the rest is `TRAIN`.
"""

import csv
import hashlib
import os
from collections import defaultdict
from pathlib import Path

DATASETS = Path(os.environ.get("MILEPOST_DATASETS", "../shared/datasets"))

TRAIN, VALIDATE, EVALUATE = "train", "validate", "evaluate"

# us-scenes by whole camera or site, so that no background is on both sides. The cameras were
# told apart by looking at the pictures; all that share a road, a gate or a parking lot, or
# may do so, are on one side.
US_SCENES_EVALUATE = (
    # One street camera, plates about 62 px wide: every 1280x720 picture named by a UUID.
    # (The 1920x1080 ones, 0b86cecf, 316b64c0 and e73fd200, are another camera and train.)
    "12c6cb72", "1e241dc8", "21d8c31d", "22e54a62", "33fa5185", "37170dd1", "3850ba91", "4be2025c",
    "5b562a61", "7fbfbe28", "a03ced3f", "c9368c55", "cfaa9dd2", "d4f79480", "f0a3b8c0", "f8fc5e59",
    # Gate cameras: a cracked road; three views over one lot; and eight cameras of their own.
    "wts-lg-000031", "wts-lg-000032", "wts-lg-000033",
    "wts-lg-000042", "wts-lg-000043", "wts-lg-000044",
    "wts-lg-000051", "wts-lg-000052", "wts-lg-000053", "wts-lg-000055", "wts-lg-000056",
    "wts-lg-000057", "wts-lg-000058", "wts-lg-000059", "wts-lg-000060",
    # Hand-held: the whole series car9-0 to car9-9 of one site, and five single pictures.
    "car9-", "car5.", "car7.", "us1.", "us5.", "us7.",
)  # fmt: skip

# The share of a flat or foreign data set in hundredths: (evaluate, validate).
HASHED_SHARES = {
    "us-plates": (20, 5),
    "us-states": (5, 2),
    "plates-br": (5, 2),
    "scenes-mixed": (0, 8),
    "scenes-openimages": (0, 8),
    "scenes-br": (0, 8),
    "scenes-eu": (0, 8),
    "backgrounds": (0, 8),
}


def part(dataset: str, name: str) -> str:
    """The part that picture `name` (a file name without folders) of `dataset` belongs to."""
    if dataset == "clips":
        return EVALUATE
    if dataset == "us-scenes":
        return EVALUATE if name.startswith(US_SCENES_EVALUATE) else TRAIN
    evaluate, validate = HASHED_SHARES.get(dataset, (0, 0))
    bucket = int(hashlib.sha256(f"{dataset}/{name}".encode()).hexdigest()[:8], 16) % 100
    if bucket < evaluate:
        return EVALUATE
    return VALIDATE if bucket < evaluate + validate else TRAIN


def names(dataset: str, wanted: str) -> list[str]:
    """Sorted file names of the pictures of `dataset` that belong to part `wanted`."""
    pictures = (DATASETS / dataset / "images").glob("*.jpg")
    return sorted(p.name for p in pictures if part(dataset, p.name) == wanted)


def picture_path(dataset: str, name: str) -> Path:
    return DATASETS / dataset / "images" / name


def truth(dataset: str) -> dict[str, list[dict[str, str]]]:
    """The rows of the data set's truth.csv, by picture; a picture may have several plates or none."""
    rows = defaultdict(list)
    path = DATASETS / dataset / "truth.csv"
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                rows[row["image"]].append(row)
    return rows
