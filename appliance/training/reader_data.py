"""The reader's pictures: where they come from, and how each becomes a 64x160 training example.

A `Source` is a picture with a plate's four corners in it. Every example is drawn from one anew: seen by a
roadside camera at 45 to 240 px plate width (`degrade`), then rectified by corners that are not quite right.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import compose, degrade, glyphs, splits, truths
from .truths import ALPHABET, SLOTS, plain_text

BLANK = len(ALPHABET)
STATES = sorted(compose.STATE_NAMES)
UNKNOWN_STATE = len(STATES)
IGNORE = -100  # torch's cross entropy leaves such targets out

WIDTH, HEIGHT = 160, 64
INSET_X, INSET_Y = 0.08, 0.12  # where the plate's corners come to lie, so that slightly wrong corners still show all

# Share of each kind of source in training. Scenes are few but are what the product sees.
SHARES = {
    "us-scenes": 0.08, "streets": 0.08, "us-plates": 0.12, "us-states": 0.31, "composed": 0.21, "rendered": 0.1,
    "plates-br": 0.05, "plates-eu": 0.02, "scenes": 0.03,
}  # fmt: skip


@dataclass
class Source:
    picture: np.ndarray  # uint8 [H, W]
    corners: np.ndarray  # float32 [4, 2]: x, y from top-left clockwise
    text: str | None  # None: not known
    state: int  # index into STATES, UNKNOWN_STATE, or IGNORE where nobody wrote it down
    flat: bool  # the picture is the plate itself, larger than a road camera would show it


def rectify(picture, corners):
    """Warps the quadrilateral to the reader's input; outside of the picture its border goes on."""
    x0, x1 = INSET_X * WIDTH, (1 - INSET_X) * WIDTH
    y0, y1 = INSET_Y * HEIGHT, (1 - INSET_Y) * HEIGHT
    place = np.float32([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    matrix = cv2.getPerspectiveTransform(np.float32(corners), place)
    return cv2.warpPerspective(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def box_corners(x, y, width, height):
    return np.float32([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def whole(picture):
    return box_corners(0, 0, picture.shape[1], picture.shape[0])


def luma(dataset, name):
    return cv2.imread(str(splits.picture_path(dataset, name)), cv2.IMREAD_GRAYSCALE)


class Peer:
    """Texts of unlabelled plates by another reader, taken only where it is sure of every character; kept in a file."""

    SURE = 0.9

    def __init__(self, path: Path, cache: Path):
        self.path, self.cache, self.session = path, cache, None
        self.known = json.loads(cache.read_text()) if cache.exists() else {}

    def text(self, key: str, plate: np.ndarray) -> str | None:
        """`plate` is BGR; `key` names it in the cache."""
        if key not in self.known:
            text, sure = self.read(plate)
            self.known[key] = text if sure > self.SURE else None
        text = self.known[key]
        return plain_text(text) if text else None

    def read(self, plate):
        import onnxruntime  # needed only where the cache is incomplete or the peer is measured

        if self.session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(str(self.path), options)
        picture = cv2.cvtColor(cv2.resize(plate, (128, 64)), cv2.COLOR_BGR2RGB)
        odds = self.session.run(None, {self.session.get_inputs()[0].name: picture[None]})[0][0]
        best = odds.argmax(-1)
        return "".join((ALPHABET + "_")[i] for i in best).rstrip("_"), float(odds.max(-1).min())

    def save(self):
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        self.cache.write_text(json.dumps(self.known))


def flat_sources(dataset, part, peer: Peer | None) -> list[Source]:
    truth = truths.of_flat_plates(dataset)
    sources = []
    for name in truths.names(dataset, part):
        text, state = truth.get(name, (None, None))
        picture = luma(dataset, name)
        if text is None and dataset == "plates-eu":
            text = peer and peer.text(f"{dataset}/{name}", cv2.imread(str(splits.picture_path(dataset, name))))
        sources.append(Source(picture, whole(picture), text, STATES.index(state) if state in STATES else UNKNOWN_STATE, True))
    return sources


def scene_sources(dataset, part) -> list[Source]:
    texts = truths.transcribed(dataset)
    sources = []
    for name, rows in sorted(splits.truth(dataset).items()):
        if splits.part(dataset, name) != part:
            continue
        picture = luma(dataset, name)
        written = {int(row["index"]): row for row in texts.get(name, ())}
        stretch = 4 / 3 if dataset == "scenes-openimages" else 1  # published squeezed to a square
        picture = cv2.resize(picture, None, fx=stretch, fy=1, interpolation=cv2.INTER_LINEAR)
        for i, row in enumerate(rows):
            foreign = dataset in ("scenes-br", "scenes-eu") or written.get(i, {}).get("country") == "other"
            text = plain_text(row.get("plate") or written.get(i, {}).get("plate", ""))
            if text is None:
                continue
            x, y, w, h = (float(row[k]) for k in ("x", "y", "width", "height"))
            x, w = x * stretch, w * stretch
            left, top = max(0, int(x - 0.6 * w)), max(0, int(y - 0.9 * h))
            around = picture[top : int(y + 1.9 * h), left : int(x + 1.6 * w)]
            sources.append(Source(around, box_corners(x - left, y - top, w, h), text, UNKNOWN_STATE if foreign else IGNORE, False))
    return sources


def grounds(part) -> list[np.ndarray]:
    """What plates are laid upon: luma photographs without plates."""
    return [luma("backgrounds", name) for name in splits.names("backgrounds", part)]


class Examples:
    """Draws training examples. `difficulty` from 0 (large, clean, well cut) to 1 (the road)."""

    def __init__(self, peer: Peer):
        self.pools = {name: flat_sources(name, splits.TRAIN, peer) for name in ("us-plates", "us-states", "plates-br", "plates-eu")}
        self.pools["plates-eu"] = [s for s in self.pools["plates-eu"] if s.text]
        scenes = {name: scene_sources(name, splits.TRAIN) for name in ("us-scenes", "scenes-br", "scenes-eu", "scenes-mixed", "scenes-openimages")}
        self.pools["us-scenes"] = scenes["us-scenes"]
        streets = scenes["scenes-mixed"] + scenes["scenes-openimages"]
        self.pools["streets"] = [s for s in streets if s.state == IGNORE]
        self.pools["scenes"] = scenes["scenes-br"] + scenes["scenes-eu"] + [s for s in streets if s.state == UNKNOWN_STATE]
        peer.save()
        designs, cut_glyphs = [], []
        for source in self.pools["us-plates"] + self.pools["us-states"]:
            if source.text and source.state < UNKNOWN_STATE:
                parts = glyphs.take_apart(cv2.resize(source.picture, (256, 128)), source.text, STATES[source.state])
                if parts:
                    designs.append(parts[0])
                    cut_glyphs += parts[1]
        self.setter = compose.GlyphSetter(designs, cut_glyphs)
        self.grounds = grounds(splits.TRAIN)

    def source(self, rng, difficulty) -> Source:
        kind = rng.choice(list(SHARES), p=list(SHARES.values()))
        if rng.random() > 0.3 + difficulty:  # something to begin with: nothing is learned from the road alone
            kind = "rendered" if rng.random() < 0.6 else "composed"
        if kind == "composed":
            picture, text, state = self.setter.compose(rng)
            return Source(picture, whole(picture), text, STATES.index(state), True)
        if kind == "rendered":
            picture, text, state = compose.render(rng)
            return Source(picture, whole(picture), text, STATES.index(state) if state else UNKNOWN_STATE, True)
        return self.pools[kind][rng.integers(len(self.pools[kind]))]

    def draw(self, rng, difficulty):
        """One example: uint8 [HEIGHT, WIDTH], slot targets int64 [SLOTS], state target."""
        source = self.source(rng, difficulty)
        if rng.random() < 0.35:
            difficulty *= rng.uniform(0.1, 1)  # near and clear ones stay part of the road
        picture, state = source.picture, source.state
        if source.flat:
            picture, corners, framed = on_the_road(picture, self.grounds, rng, difficulty)
            if framed and state != UNKNOWN_STATE:
                state = IGNORE  # the frame may hide the only place where the state's name stands
        else:
            picture, corners = seen_again(source, rng, difficulty)
        return loosely_cut(picture, corners, rng, difficulty), slots(source.text), state


def on_the_road(plate, grounds, rng, difficulty):
    """Lays a flat plate into a road camera's picture. Returns picture, corners, and whether a frame covers the rim."""
    framed = rng.random() < 0.15 * difficulty
    if framed:
        plate = frame(plate, rng)
    plate = light(plate, rng, difficulty)
    wide = np.clip(np.exp(rng.normal(np.log(150 - 55 * difficulty), 0.15 + 0.27 * difficulty)), 42, 240)
    high = wide * plate.shape[0] / plate.shape[1] * np.exp(rng.normal(0, 0.09))
    # Area reduction first: the lens and the sensor's cells average what lies between their pixels.
    finer = rng.uniform(1, 1.4)
    if wide * finer < plate.shape[1]:
        plate = cv2.resize(plate, (round(wide * finer), max(8, round(high * finer))), interpolation=cv2.INTER_AREA)
    canvas = background(grounds, rng, int(wide * 1.7), int(high * 2))
    tilt = np.radians(rng.uniform(-22, 22) if rng.random() < 0.1 * difficulty else rng.normal(0, 1 + 4 * difficulty))
    turn = np.float32([(np.cos(tilt), np.sin(tilt)), (-np.sin(tilt), np.cos(tilt))])
    corners = (box_corners(-wide / 2, -high / 2, wide, high) @ turn).astype(np.float32)
    corners[:, 1] += corners[:, 0] * rng.normal(0, 0.05) * difficulty
    corners += rng.normal(0, 0.015 * difficulty, (4, 2)) * wide
    corners = np.float32(corners + (canvas.shape[1] / 2, canvas.shape[0] / 2))
    matrix = cv2.getPerspectiveTransform(whole(plate), corners)
    cv2.warpPerspective(plate, matrix, (canvas.shape[1], canvas.shape[0]), dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return degrade.roadside(canvas, rng, difficulty, wide), corners, framed


def background(grounds, rng, width, height):
    ground = grounds[rng.integers(len(grounds))]
    scale = rng.uniform(0.5, 1.0)
    h, w = ground.shape
    cut_w, cut_h = min(w, int(width / scale)), min(h, int(height / scale))
    x, y = rng.integers(w - cut_w + 1), rng.integers(h - cut_h + 1)
    cut = cv2.resize(ground[y : y + cut_h, x : x + cut_w], (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.LUT(cut, np.clip(np.arange(256) * rng.uniform(0.3, 1.1), 0, 255).astype(np.uint8))


def seen_again(source, rng, difficulty):
    """Another look at a real scene: farther off, in other light."""
    picture, corners = source.picture, source.corners
    wide = corners[1, 0] - corners[0, 0]
    scale = rng.uniform(max(0.45, min(1, 48 / wide)), 1.0) if rng.random() < 0.7 else 1.0
    if scale < 0.97:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        corners = corners * np.float32(scale)
    picture = light(picture, rng, difficulty)
    if rng.random() < 0.5:
        picture = degrade.roadside(picture, rng, 0.5 * difficulty, wide * scale)
    return picture, corners


def light(picture, rng, difficulty):
    """What happens to the plate's look before the lens."""
    if rng.random() < 0.12 * difficulty:
        picture = degrade.infrared(picture, rng)
    if rng.random() < 0.6:
        picture = degrade.expose(picture, rng)
    if rng.random() < 0.06:
        picture = 255 - picture
    if rng.random() < 0.2 * difficulty:
        picture = degrade.shadow(picture, rng)
    if rng.random() < 0.1 * difficulty:
        picture = degrade.dirt(picture, rng)
    return picture


def frame(plate, rng):
    """Covers the rim as dealers' frames do."""
    plate = plate.copy()
    h, w = plate.shape
    level = int(rng.uniform(0, 255))
    top, bottom, side = int(h * rng.uniform(0.02, 0.18)), int(h * rng.uniform(0.02, 0.16)), int(w * rng.uniform(0.01, 0.03))
    plate[:top], plate[h - bottom :], plate[:, :side], plate[:, w - side :] = level, level, level, level
    for y in (top, h):
        if rng.random() < 0.5:
            cv2.putText(plate, compose.SLOGANS[rng.integers(len(compose.SLOGANS))], (w // 5, y - 4), 0, h / 330, 255 - level, 1, cv2.LINE_AA)
    return plate


def loosely_cut(picture, corners, rng, difficulty):
    """Rectifies by corners as a localiser, a truth box or somebody's tight crop would give them."""
    wide, high = np.ptp(corners[:, 0]), np.ptp(corners[:, 1])
    boxed = rng.random() < 0.3
    if boxed:
        corners = box_corners(*corners.min(0), wide, high)
    loose = 0.35 + 0.65 * difficulty
    middle = corners.mean(0)
    size = 1 + rng.normal(0.01, 0.05, 2) * loose
    shift = rng.normal(0, (0.025, 0.045)) * (wide, high) * loose
    corners = (corners - middle) * size + middle + shift
    corners += rng.normal(0, 1, (4, 2)) * (0.018 * wide, 0.03 * high) * loose
    if boxed and rng.random() < 0.5:
        x0, y0 = np.maximum(corners.min(0), 0).astype(int)
        x1, y1 = np.ceil(corners.max(0)).astype(int)
        crop = picture[y0:y1, x0:x1]
        return rectify(crop, whole(crop))
    return rectify(picture, corners)


def slots(text):
    """Slot targets of a text, or IGNORE in every slot where it is not known."""
    if text is None:
        return [IGNORE] * SLOTS
    return [ALPHABET.index(c) for c in text] + [BLANK] * (SLOTS - len(text))
