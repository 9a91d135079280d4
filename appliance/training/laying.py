"""Drawing into a luma picture: plates by perspective, their mounts, and things that look like plates.

All lengths are pixels; colours are luma from 0 to 255; `rng` is a `numpy.random.Generator`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_ITALIC)
LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ0123456789"


@dataclass
class Plate:
    corners: np.ndarray  # (4, 2) float32: top-left, top-right, bottom-right, bottom-left
    exact: bool  # corners are the plate's own, not those of an upright box around it
    doubtful: bool = False  # looks like a plate but the truth does not name it: neither demanded nor punished


def bounds(quad: np.ndarray) -> np.ndarray:
    """x, y, width, height of the upright box around a quadrilateral."""
    low, high = quad.min(0), quad.max(0)
    return np.array([*low, *(high - low)], np.float32)


def inside(point: np.ndarray, shape: tuple[int, int]) -> bool:
    return 0 <= point[0] < shape[1] and 0 <= point[1] < shape[0]


def overlaps(box: np.ndarray, centre: np.ndarray, width: float) -> bool:
    """Whether a plate `width` wide at `centre`, with its mount, would touch the box."""
    gap = np.abs(box[:2] + box[2:] / 2 - centre) - box[2:] / 2
    return gap[0] < width * 0.9 and gap[1] < width * 0.6


def seen_at_an_angle(rng, aspect: float, upright: float) -> np.ndarray:
    """Corners of a plate of unit width around the origin, turned in space and projected."""
    steep = rng.random() > upright
    yaw, pitch, roll = np.radians(rng.uniform((-55, -30, -35), (55, 30, 35)) if steep else rng.normal(0, (18, 10, 3)))
    corners = np.array([[-1, -aspect, 0], [1, -aspect, 0], [1, aspect, 0], [-1, aspect, 0]])
    turn_yaw = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_roll = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    seen = corners @ (turn_roll @ turn_pitch @ turn_yaw).T
    distance = rng.uniform(7, 40)
    flat = seen[:, :2] * distance / (distance + seen[:, 2:])
    flat -= flat.mean(0)
    return (flat / np.ptp(flat[:, 0])).astype(np.float32)


def rotation(angle: float) -> np.ndarray:
    """Turns points of a picture clockwise by `angle` radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)


def lay(rng, picture: np.ndarray, flat: np.ndarray, quad: np.ndarray) -> None:
    """Draws the flat plate so that its corners come to lie on `quad`, perhaps in a frame."""
    width = max(4, int(np.ptp(quad[:, 0])))
    if flat.shape[1] > width * 1.3:
        size = (int(width * 1.2) + 1, max(4, int(flat.shape[0] * width * 1.2 / flat.shape[1])))
        flat = cv2.resize(flat, size, interpolation=cv2.INTER_AREA)
    flat = cv2.resize(flat, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    high, wide = flat.shape
    edge = 0
    if rng.random() < 0.35:
        edge = max(1, int(high * rng.uniform(0.03, 0.14)))
        tone = rng.uniform(5, 60) if rng.random() < 0.6 else rng.uniform(120, 240)
        flat = cv2.copyMakeBorder(flat, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=float(tone))
        inner = int(high * rng.uniform(0, 0.1))
        cv2.rectangle(flat, (0, 0), (flat.shape[1] - 1, flat.shape[0] - 1), float(tone), 2 * (edge + inner))
    mask = np.ones_like(flat)
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32) + edge - 0.5
    matrix = cv2.getPerspectiveTransform(source, (quad - 0.5).astype(np.float32))
    # Only the part of the picture that the plate can touch is worked on.
    x, y, w, h = bounds(quad)
    reach = 0.2 * w + 2
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = min(picture.shape[1], int(x + w + reach)), min(picture.shape[0], int(y + h + reach))
    if right <= left or bottom <= top:
        return
    matrix = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64) @ matrix
    size = (right - left, bottom - top)
    drawn = cv2.warpPerspective(flat, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(mask, matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        sigma = rng.uniform(0.3, 0.4 + w / 80)
        drawn, alpha = cv2.GaussianBlur(drawn, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
    patch = picture[top:bottom, left:right]
    patch[:] = np.clip(patch + alpha * (drawn - patch), 0, 255).astype(np.uint8)


def erase(picture: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Fills the box from what is left and right of it; returns the (brightness, contrast) of what was there."""
    x, y, w, h = box
    left, right = int(x - 0.08 * w - 1), int(x + w * 1.08 + 2)
    top, bottom = max(0, int(y - 0.12 * h)), min(picture.shape[0], int(y + h * 1.12) + 1)
    patch = picture[top:bottom, max(0, left) : right]
    low, high = np.percentile(patch, (10, 90)) if patch.size else (60, 180)
    if patch.size:
        start = picture[top:bottom, max(0, left - 3) : max(1, left)].mean(1, keepdims=True)
        end = picture[top:bottom, right : right + 3]
        end = end.mean(1, keepdims=True) if end.size else start
        patch[:] = start + (end - start) * np.linspace(0, 1, patch.shape[1])
    return (low + high) / 2, max(high - low, 25)


def mount(rng, picture: np.ndarray, centre: np.ndarray, width: float) -> None:
    """A recess or bumper in one tone around the place of a plate, so that plates do not float on foliage."""
    half = np.array([rng.uniform(0.55, 1.6), rng.uniform(0.35, 0.9)]) * width
    low, high = (centre - half).astype(int), (centre + half).astype(int)
    tone = np.full_like(picture, int(rng.uniform(5, 240)))
    mask = np.zeros(picture.shape, np.float32)
    cv2.rectangle(mask, low.tolist(), high.tolist(), 1.0, -1)
    mask = cv2.blur(mask, (int(width * rng.uniform(0, 0.2)) + 1,) * 2)
    picture[:] = (picture + mask * (tone.astype(np.float32) - picture) * rng.uniform(0.6, 1)).astype(np.uint8)


def add_distractor(rng, picture: np.ndarray, plates: list[Plate]) -> None:
    """Something that is often taken for a plate: lettering, a sign, a lamp, a grille. Spares the plates."""
    height, width = picture.shape
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    wide = np.exp(rng.uniform(np.log(20), np.log(200)))
    centre = np.array([x + wide / 2, y], np.float32)
    if any(overlaps(bounds(plate.corners), centre, wide) for plate in plates):
        return
    kind = rng.choice(["lettering", "sign", "lamp", "grille"])
    tone, ground = int(rng.uniform(0, 255)), int(rng.uniform(0, 255))
    if kind == "lettering":
        text = "".join(rng.choice(list(LETTERS), rng.integers(3, 13)))
        font, thick = FONTS[rng.integers(len(FONTS))], int(rng.integers(1, 4))
        (size, _), _ = cv2.getTextSize(text, font, 1, thick)
        cv2.putText(picture, text, (int(x), int(y)), font, wide / size, tone, thick, cv2.LINE_AA)
    elif kind == "sign":
        high = wide * rng.uniform(0.8, 2)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), ground, -1)
        for row in range(rng.integers(2, 6)):
            text = "".join(rng.choice(list(LETTERS), rng.integers(4, 12)))
            place = (int(x + 0.08 * wide), int(y + high * (row + 1) / 6))
            cv2.putText(picture, text, place, FONTS[rng.integers(len(FONTS))], wide / 220, tone, 1, cv2.LINE_AA)
    elif kind == "lamp":
        high = wide * rng.uniform(0.2, 0.7)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), ground, -1)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), tone, int(rng.integers(1, 4)))
    else:
        high, step = wide * rng.uniform(0.2, 0.6), int(rng.integers(3, 10))
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), ground, -1)
        for at in range(0, int(wide if step % 2 else high), step):
            start, end = ((x + at, y), (x + at, y + high)) if step % 2 else ((x, y + at), (x + wide, y + at))
            cv2.line(picture, tuple(map(int, start)), tuple(map(int, end)), tone, max(1, step // 3))


def shine(rng, picture: np.ndarray, plates: list[Plate]) -> np.ndarray:
    """Looks as by infra-red light, which comes back from the plates' retroreflective sheet and from little else."""
    lit = np.zeros(picture.shape, np.float32)
    for plate in plates:
        cv2.fillConvexPoly(lit, np.round(plate.corners).astype(np.int32), 1.0)
    around = 255 * (picture / 255) ** rng.uniform(1, 2) * rng.uniform(0.15, 0.5)
    image = around + cv2.GaussianBlur(lit, (3, 3), 0) * (picture * rng.uniform(0.8, 1.7) - around)
    return np.clip(image, 0, 255).astype(np.uint8)
