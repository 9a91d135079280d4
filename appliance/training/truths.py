"""What stands on the plates, and which of them train: the data sets' truth, mended by what was read by eye.

`texts/` holds what the published truth leaves out, in its spelling: full-height characters only (stacked and
small ones belong to the kind of plate), O as 0 in words. `us-states.csv` names for the pictures of the
evaluation part what makes them hard, `us-scenes-notes.csv` does the same; `plates-br.csv` corrects what the published truth has wrong;
`country` of a street's plate is `us`, `other` or `unknown`.

Needs nothing but Python, so that a test can ask it what trains.
"""

import csv
from collections import defaultdict
from pathlib import Path

from . import splits

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SLOTS = 8
TEXTS = Path(__file__).with_name("texts")


def plain_text(text: str) -> str | None:
    """The text as the reader spells it, or None where it does not fit its slots."""
    text = "".join(c for c in text.upper() if c in ALPHABET)
    return text if 0 < len(text) <= SLOTS else None


def transcribed(dataset: str) -> dict[str, list[dict[str, str]]]:
    """The rows of `texts/<dataset>.csv`, by picture; none where nothing was transcribed."""
    path, rows = TEXTS / f"{dataset}.csv", defaultdict(list)
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                rows[row["image"]].append(row)
    return rows


def of_flat_plates(dataset: str) -> dict[str, tuple[str | None, str | None]]:
    """Text and state of each picture of a set of flat plates, None where nobody wrote it down."""
    texts, truth = transcribed(dataset), {}
    for name, rows in splits.truth(dataset).items():
        text = texts[name][0]["plate"] if name in texts else rows[0].get("plate", "")
        truth[name] = (plain_text(text), rows[0].get("state"))
    return truth


def judged() -> set[tuple[str, str]]:
    """Text and state of the flat plates that judge."""
    return {
        (text, state)
        for dataset in ("us-plates", "us-states")
        for name, (text, state) in of_flat_plates(dataset).items()
        if text and splits.part(dataset, name) == splits.EVALUATE
    }


def names(dataset: str, part: str) -> list[str]:
    """As `splits.names`, but what trains or chooses shows no plate that judges by way of another photograph."""
    if part == splits.EVALUATE:
        return splits.names(dataset, part)
    truth, judging = of_flat_plates(dataset), judged()
    return [name for name in splits.names(dataset, part) if truth.get(name) not in judging]
