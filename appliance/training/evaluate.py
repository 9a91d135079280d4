"""Judges the exported reader on pictures that never trained, in the engine that the product uses, and the peer beside it.

Rates are of plates; "strict" takes the text letter for letter, "O=0" takes the letter and the digit as one.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import compose, splits, truths
from .reader_data import BLANK, STATES, UNKNOWN_STATE, Peer, box_corners, luma, rectify, whole
from .truths import ALPHABET, plain_text

CANDIDATES = 10
DRAWS = 5  # of jitter for each box


@dataclass
class Plate:
    key: str
    picture: np.ndarray  # uint8 [H, W], luma
    colour: np.ndarray | None  # the tight crop in BGR, for the peer
    corners: np.ndarray
    text: str | None
    state: int | None


@dataclass
class Reading:
    candidates: list[tuple[str, float]]  # the likeliest texts with their probabilities, best first
    state: int
    state_odds: float


class Reader:
    def __init__(self, path: Path):
        self.network = cv2.dnn.readNetFromONNX(str(path))

    def read(self, picture, corners) -> Reading:
        self.network.setInput(rectify(picture, corners)[None, None].astype(np.float32) / 255, "plate")
        characters, state = self.network.forward(["characters", "state"])
        state = softmax(state[0])
        return Reading(candidates(softmax(characters[0])), int(state.argmax()), float(state.max()))


def softmax(logits):
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def candidates(odds) -> list[tuple[str, float]]:
    """The likeliest texts of `odds` [SLOTS, 37], slots taken as independent; a text ends at the first blank."""
    open_texts, closed = {"": 1.0}, {}
    for slot in odds:
        longer = {}
        for text, so_far in open_texts.items():
            closed[text] = closed.get(text, 0) + so_far * float(slot[BLANK])
            for i in np.argsort(slot[:BLANK])[-CANDIDATES:]:
                longer[text + ALPHABET[i]] = so_far * float(slot[i])
        open_texts = dict(sorted(longer.items(), key=lambda t: -t[1])[: 4 * CANDIDATES])
    closed.update(open_texts)
    return sorted(closed.items(), key=lambda t: -t[1])[:CANDIDATES]


def scenes() -> list[Plate]:
    plates = []
    for name, rows in sorted(splits.truth("us-scenes").items()):
        if splits.part("us-scenes", name) != splits.EVALUATE:
            continue
        colour = cv2.imread(str(splits.picture_path("us-scenes", name)))
        picture = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
        for row in rows:
            x, y, w, h = (int(row[k]) for k in ("x", "y", "width", "height"))
            crop = colour[max(0, y) : y + h, max(0, x) : x + w]
            plates.append(Plate(name, picture, crop, box_corners(x, y, w, h), plain_text(row["plate"]), None))
    return plates


def jittered(plates, seed=5) -> list[Plate]:
    """Each plate as `DRAWS` localisers would give it, every corner off by about 2 % of the width and 4 % of the height."""
    rng = np.random.default_rng(seed)
    loose = []
    for plate in plates:
        for _ in range(DRAWS):
            sides = np.ptp(plate.corners, axis=0)
            corners = plate.corners + rng.normal(0, 1, (4, 2)) * sides * (0.02, 0.04)
            loose.append(Plate(plate.key, plate.picture, None, corners, plate.text, plate.state))
    return loose


def flat(dataset) -> list[Plate]:
    truth = truths.of_flat_plates(dataset)
    plates = []
    for name in splits.names(dataset, splits.EVALUATE):
        text, state = truth[name]
        picture = luma(dataset, name)
        colour = cv2.imread(str(splits.picture_path(dataset, name)))
        state = None if state is None else STATES.index(state) if state in STATES else UNKNOWN_STATE
        plates.append(Plate(name, picture, colour, whole(picture), text, state))
    return plates


def rendered(count=200, wide=110) -> list[Plate]:
    """Plates as the product renders them for its demonstration and canary, at `wide` pixels."""
    rng = np.random.default_rng(11)
    plates = []
    while len(plates) < count:
        picture, text, state = compose.render(rng, plain=True)
        picture = cv2.resize(picture, (wide, wide // 2), interpolation=cv2.INTER_AREA)
        plates.append(Plate(f"rendered-{len(plates)}", picture, cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), whole(picture), text, None))
    return plates


def o_is_zero(text):
    return text.replace("O", "0")


def rates(plates, readings) -> dict[str, float]:
    """Shares of the plates whose text is known, and how far confidence is from being right."""
    both = [(p.text, r) for p, r in zip(plates, readings) if p.text]
    if not both:
        return {}
    strict = np.array([text == r.candidates[0][0] for text, r in both])
    sure = np.array([r.candidates[0][1] for _, r in both])
    return {
        "plates": len(both),
        "strict": strict.mean(),
        "O=0": np.mean([o_is_zero(text) == o_is_zero(r.candidates[0][0]) for text, r in both]),
        "top 10": np.mean([text in dict(r.candidates) for text, r in both]),
        "calibration error": calibration_error(sure, strict),
        "sure": (sure > 0.9).mean(),
        "strict where sure": strict[sure > 0.9].mean() if (sure > 0.9).any() else np.nan,
    }


def calibration_error(sure, right, bins=10):
    """The expected calibration error: |stated confidence - share right|, over bins of equal width."""
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return sum(abs(sure[place == b].sum() - right[place == b].sum()) for b in range(bins)) / len(sure)


def state_rates(plates, readings) -> dict[str, float]:
    both = [(p.state, r) for p, r in zip(plates, readings) if p.state is not None]
    if not both:
        return {}
    named = [(state, r) for state, r in both if state != UNKNOWN_STATE]
    answered = [(state, r) for state, r in both if r.state != UNKNOWN_STATE]
    sure = np.array([r.state_odds for _, r in both])
    right = np.array([state == r.state for state, r in both])
    return {
        "plates": len(both),
        "state right": np.mean([state == r.state for state, r in named]) if named else np.nan,
        "right where a state is named": np.mean([state == r.state for state, r in answered]) if answered else np.nan,
        "calibration error": calibration_error(sure, right),
    }


def peer_rates(plates, peer) -> dict[str, float]:
    texts = [(p.text, plain_text(peer.read(p.colour)[0]) or "") for p in plates if p.text and p.colour is not None]
    return {
        "plates": len(texts),
        "strict": np.mean([a == b for a, b in texts]),
        "O=0": np.mean([o_is_zero(a) == o_is_zero(b) for a, b in texts]),
    }


def report(model: Path, peer: Peer):
    """Prints the figures of the model card."""
    cv2.setNumThreads(1)
    reader = Reader(model)
    of_scenes = scenes()
    widths = [np.ptp(p.corners[:, 0]) for p in of_scenes]
    slices = {
        "us-scenes, truth boxes": of_scenes,
        "us-scenes, jittered boxes": jittered(of_scenes),
        "us-scenes, under 80 px": [p for p, w in zip(of_scenes, widths) if w < 80],
        "us-scenes, 80 px and more": [p for p, w in zip(of_scenes, widths) if w >= 80],
        "us-plates": flat("us-plates"),
        "us-states": flat("us-states"),
        "plates-br": flat("plates-br"),
        "rendered, 110 px": rendered(),
    }
    missed = []
    for name, plates in slices.items():
        readings = [reader.read(p.picture, p.corners) for p in plates]
        for kind, figures in (("text", rates(plates, readings)), ("state", state_rates(plates, readings))):
            if figures:
                print(f"{name} | {kind} | " + ", ".join(f"{k} {v:.3f}" if k != "plates" else f"n {v}" for k, v in figures.items()))
        if peer.path.exists() and any(p.text and p.colour is not None for p in plates):
            print(f"{name} | peer | " + ", ".join(f"{k} {v:.3f}" if k != "plates" else f"n {v}" for k, v in peer_rates(plates, peer).items()))
        if name == "us-scenes, truth boxes":
            missed = [(p.key, p.text, r.candidates[:2]) for p, r in zip(plates, readings) if p.text != r.candidates[0][0]]
    for key, text, best in missed:
        print(f"missed {key}: {text} read as " + ", ".join(f"{t} {odds:.2f}" for t, odds in best))
    started = time.perf_counter()
    for plate in of_scenes:
        reader.read(plate.picture, plate.corners)
    print(f"one plate takes {1000 * (time.perf_counter() - started) / len(of_scenes):.1f} ms on one thread")
