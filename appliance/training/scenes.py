"""Training pictures for the localiser: what a roadside camera may see, with plates whose corners are known.

Two kinds are mixed. *Real* scenes bring true cars, but their truth is a loose upright box, so
their corners weigh little. *Composed* scenes get a flat plate laid in by perspective, most
often over the place where a car's own plate was, so its four corners are exact. Everything is
luma, and all lengths are pixels of the network's input unless a name says otherwise.
"""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from . import degrade, splits
from .laying import Plate, add_distractor, bounds, erase, inside, lay, mount, overlaps, rotation, seen_at_an_angle, shine

# How often a scene is drawn from each set. US cameras first: they are few but what counts.
SCENE_SHARES = {"us-scenes": 0.34, "scenes-mixed": 0.26, "scenes-openimages": 0.2, "scenes-br": 0.12, "scenes-eu": 0.08}
# The same for the flat plates that are laid in. Foreign ones keep "plate" from meaning "12 x 6 inch".
PLATE_SHARES = {"us-states": 0.5, "us-plates": 0.3, "plates-br": 0.1, "plates-eu": 0.1}
US_ASPECT = 0.5
LONG_SIDE = 640  # a frame is reduced so that its longer side is this
# Plates narrower than this are neither demanded nor punished: a person could not say what they are.
SMALLEST_WIDTH = 15
# What the camera does to the picture, and how often.
WEATHER = (
    (degrade.shadow, 0.15),
    (degrade.expose, 0.6),
    (partial(degrade.defocus, most=1.3), 0.35),
    (partial(degrade.motion, most=6), 0.15),
    (degrade.sharpen, 0.1),
    (partial(degrade.noise, most=12), 0.5),
    (degrade.compress, 0.5),
)


@dataclass
class Scene:
    levels: list[np.ndarray]  # the picture, its half, its quarter, ...: reduced without aliasing
    boxes: np.ndarray  # (n, 4) x, y, width, height in pixels of levels[0]
    corners: list[np.ndarray | None]  # (4, 2) for each box where they are known better than the box says
    traps: np.ndarray  # (n, 2) places without a plate that a network has taken for one
    doubtful: list[np.ndarray]  # (4, 2) each: what a network is sure of and the truth leaves out, as parked cars' plates


def load_scenes(dataset: str, part: str) -> list[Scene]:
    rows = splits.truth(dataset)
    scenes = []
    for name in splits.names(dataset, part):
        picture = cv2.imread(str(splits.picture_path(dataset, name)), cv2.IMREAD_GRAYSCALE)
        boxes = [[float(row[key]) for key in ("x", "y", "width", "height")] for row in rows[name]]
        boxes = np.array(boxes, np.float32).reshape(-1, 4)
        if dataset == "scenes-openimages":
            # Published squeezed to a square; four to three is what most of them were.
            picture = cv2.resize(picture, None, fx=4 / 3, fy=1, interpolation=cv2.INTER_LINEAR)
            boxes[:, 0::2] *= 4 / 3
        levels = [picture]
        while min(levels[-1].shape) >= 160:
            levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        scenes.append(Scene(levels, boxes, [None] * len(boxes), np.empty((0, 2), np.float32), []))
    return scenes


def load_plates(dataset: str) -> list[np.ndarray]:
    """Flat plates of the training part; US ones squeezed to a set size are given their true aspect."""
    plates = []
    for name in splits.names(dataset, splits.TRAIN):
        plate = cv2.imread(str(splits.picture_path(dataset, name)), cv2.IMREAD_GRAYSCALE)
        if dataset.startswith("us-"):
            plate = cv2.resize(plate, (256, int(256 * US_ASPECT)), interpolation=cv2.INTER_AREA)
        plates.append(plate)
    return plates


class Composer:
    """Draws training pictures; the same seed draws the same ones."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.scenes = {name: load_scenes(name, splits.TRAIN) for name in SCENE_SHARES}
        self.plates = {name: load_plates(name) for name in PLATE_SHARES}
        self.backgrounds = load_scenes("backgrounds", splits.TRAIN)
        self.trapping: list[Scene] = []  # the backgrounds with traps

    def draw(self, width: int, height: int) -> tuple[np.ndarray, list[Plate]]:
        """A luma picture (height, width) uint8 and its plates, some of which may reach over its edge."""
        rng = self.rng
        if rng.random() < 0.3:
            known = self.trapping if self.trapping and rng.random() < 0.6 else self.backgrounds
            picture, _ = self._place(self._one_of(known), self._canvas(width, height, plain=0.8))
            plates = []
            for _ in range(rng.choice([0, 1, 2, 3], p=[0.35, 0.35, 0.2, 0.1])):
                self._lay_anywhere(picture, plates)
        else:
            scene = self._one_of(self.scenes[rng.choice(list(SCENE_SHARES), p=list(SCENE_SHARES.values()))])
            picture, own = self._place(scene, self._canvas(width, height, plain=0.4))
            plates = self._keep_or_replace(picture, own)
            if rng.random() < 0.15:
                self._lay_anywhere(picture, plates)
        for _ in range(rng.choice([0, 1, 3], p=[0.6, 0.25, 0.15])):
            add_distractor(rng, picture, plates)
        return self._weather(picture, plates), plates

    def _one_of(self, things):
        return things[self.rng.integers(len(things))]

    def _canvas(self, width: int, height: int, plain: float) -> np.ndarray:
        """What shows where the scene does not reach: black, as the padding in the field, or another picture."""
        canvas = np.zeros((height, width), np.uint8)
        if self.rng.random() < plain:
            return canvas
        background = self._one_of(self.backgrounds).levels[0]
        return cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA)

    def _place(self, scene: Scene, canvas: np.ndarray) -> tuple[np.ndarray, list[Plate]]:
        """Moves, zooms and slightly turns the scene onto the canvas; returns it with its plates."""
        rng = self.rng
        height, width = canvas.shape
        scene_height, scene_width = scene.levels[0].shape
        stretch = np.exp(rng.normal(0, 0.07))
        fit = min(width / scene_width / stretch, height / scene_height)
        trapped = len(scene.traps) and (not len(scene.boxes) or rng.random() < 0.25)
        if trapped:
            # A trap is shown much as it was when it fooled the network.
            zoom = LONG_SIDE / max(scene.levels[0].shape) * rng.uniform(0.8, 1.25)
            anchor = self._one_of(scene.traps)
            target = (rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height)
        elif len(scene.boxes):
            # The zoom is chosen by one plate, so that plates of every width are seen equally often.
            x, y, w, h = self._one_of(scene.boxes)
            wanted = np.exp(rng.uniform(np.log(18), np.log(190)))
            zoom = np.clip(wanted / (w * stretch), 0.6 * fit, 1.7)
            anchor = (x + w / 2, y + h / 2)
            reach = min(w * stretch * zoom, width * 0.9) / 2
            target = (rng.uniform(reach, width - reach), rng.uniform(0.06, 0.94) * height)
        else:
            zoom = fit * np.exp(rng.uniform(np.log(0.9), np.log(3)))
            anchor = (rng.uniform(0.2, 0.8) * scene_width, rng.uniform(0.2, 0.8) * scene_height)
            target = (width / 2, height / 2)
        angle = np.radians(rng.choice([0, rng.normal(0, 4), rng.uniform(-38, 38)], p=[0.4, 0.4, 0.2]))
        linear = rotation(angle) @ np.diag([zoom * stretch, zoom])
        shift = np.array(target) - linear @ np.array(anchor)
        # The level that must still shrink by less than two, which bilinear sampling does without aliasing.
        level = int(np.clip(np.floor(-np.log2(zoom)), 0, len(scene.levels) - 1))
        source = scene.levels[level]
        back = np.diag([scene_width / source.shape[1], scene_height / source.shape[0]])
        matrix = np.column_stack([linear @ back, shift])
        cv2.warpAffine(source, matrix, (width, height), dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        plates = []
        for (x, y, w, h), corners in zip(scene.boxes, scene.corners, strict=True):
            quad = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) if corners is None else corners
            plates.append(Plate((quad @ linear.T + shift).astype(np.float32), exact=corners is not None))
        for corners in scene.doubtful:
            plates.append(Plate((corners @ linear.T + shift).astype(np.float32), exact=False, doubtful=True))
        return canvas, plates

    def _keep_or_replace(self, picture: np.ndarray, own: list[Plate]) -> list[Plate]:
        """Either the scene's own plates, or others in their places."""
        rng = self.rng
        if rng.random() < 0.5:
            return own
        plates = []
        for plate in own:
            box = bounds(plate.corners)
            if plate.doubtful or box[2] < SMALLEST_WIDTH or not inside(plate.corners.mean(0), picture.shape):
                plates.append(plate)
                continue
            bright, spread = erase(picture, box)
            if rng.random() < 0.12:
                continue  # a bare bumper: the very place alone must not be enough
            along, down = plate.corners[1] - plate.corners[0], plate.corners[3] - plate.corners[0]
            width = np.clip(np.hypot(*along) * rng.uniform(0.75, 1.15), 16, 260)
            width = min(width, np.hypot(*down) * 2.6)  # US plates are shorter and higher than most foreign ones
            level = (bright, spread) if rng.random() < 0.6 else None
            plates.append(self._lay(picture, plate.corners.mean(0), width, level, 0.85, np.arctan2(along[1], along[0])))
        return plates

    def _lay_anywhere(self, picture: np.ndarray, plates: list[Plate]) -> None:
        """Lays a plate where no other is, often in a mount like that of a bumper; may find no room."""
        rng = self.rng
        height, width = picture.shape
        wide = np.exp(rng.uniform(np.log(17), np.log(220)))
        centre = rng.uniform((0.05 * width, 0.05 * height), (0.95 * width, 0.95 * height)).astype(np.float32)
        if any(overlaps(bounds(plate.corners), centre, wide) for plate in plates):
            return
        if rng.random() < 0.6:
            mount(rng, picture, centre, wide)
        plates.append(self._lay(picture, centre, wide, None, 0.6, 0.0))

    def _lay(self, picture, centre, width, level, upright: float, roll: float) -> Plate:
        """Draws a flat plate at `centre`, about `width` wide, turned by `roll` radians as the car is.

        `level` is the (brightness, contrast) to take on; a share of `upright` is seen nearly from the front.
        """
        rng = self.rng
        flat = self._one_of(self.plates[rng.choice(list(PLATE_SHARES), p=list(PLATE_SHARES.values()))])
        quad = seen_at_an_angle(rng, flat.shape[0] / flat.shape[1], upright) @ rotation(roll).T * width + centre
        flat = flat.astype(np.float32)
        if rng.random() < 0.2:
            flat = 255 - flat  # light characters on dark ground are rare in the sets but common on the road
        if level:
            low, high = np.percentile(flat, (5, 95))
            flat = (flat - (low + high) / 2) / max(high - low, 30) * level[1] + level[0]
        else:
            top = rng.uniform(70, 255)
            bottom = top * rng.uniform(0, 0.6)
            flat = bottom + flat / 255 * (top - bottom)
        lay(rng, picture, flat, quad)
        return Plate(quad.astype(np.float32), exact=True)

    def _weather(self, picture: np.ndarray, plates: list[Plate]) -> np.ndarray:
        """Light, lens and encoder, in the order in which a picture meets them."""
        rng = self.rng
        if rng.random() < 0.12:
            picture = shine(rng, picture, plates)
        for effect, chance in WEATHER:
            if rng.random() < chance:
                picture = effect(picture, rng)
        return picture
