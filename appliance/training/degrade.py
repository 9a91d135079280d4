"""What the road, the lens and the encoder do to a picture. Every function takes and returns luma, uint8 [H, W].

`rng` is a `numpy.random.Generator`; each function draws its own strength, so that callers decide only whether.
"""

import cv2
import numpy as np


def defocus(picture, rng, most=1.6):
    """Blurs as a lens out of focus, `most` pixels of standard deviation."""
    sigma = rng.uniform(0.3, most)
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def motion(picture, rng, most=7):
    """Blurs along one line of up to `most` pixels: a vehicle passing, or a camera shaking."""
    length = rng.uniform(2, most)
    angle = rng.normal(0, 0.35) if rng.random() < 0.7 else rng.uniform(0, np.pi)
    size = int(np.ceil(length)) | 1
    middle = size // 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    kernel = np.zeros((size, size), np.float32)
    start, end = (middle - reach) * 16, (middle + reach) * 16
    cv2.line(kernel, start.astype(int).tolist(), end.astype(int).tolist(), 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1e-3), borderType=cv2.BORDER_REPLICATE)


def noise(picture, rng, most=16):
    """Adds a sensor's noise, coarse as a denoiser leaves it in one case of three."""
    grain = rng.standard_normal(picture.shape, dtype=np.float32) * rng.uniform(1, most)
    if rng.random() < 0.35:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * 1.8
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def compress(picture, rng, worst=22):
    """Writes and reads a JPEG: the blocks and ringing of an intra-coded frame."""
    quality = int(rng.uniform(worst, 90))
    _, stream = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(stream, cv2.IMREAD_GRAYSCALE)


def sharpen(picture, rng):
    """Overdoes the edges, as the cameras' own processing does."""
    amount = rng.uniform(0.3, 1.5)
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.7, 1.5))
    return cv2.addWeighted(picture, 1 + amount, soft, -amount, 0)


def expose(picture, rng):
    """Sets exposure: gamma, contrast and brightness, from a night's underexposure to a headlamp's glare."""
    gamma = np.exp(rng.normal(0, 0.35))
    low = rng.uniform(0, 80)
    high = rng.uniform(max(low + 60, 120), 275)
    curve = low + (high - low) * (np.arange(256) / 255.0) ** gamma
    return cv2.LUT(picture, np.clip(curve, 0, 255).astype(np.uint8))


def infrared(picture, rng):
    """Looks as under an infra-red flash: the reflective sheet saturates, artwork pales, ink stays dark."""
    knee = rng.uniform(70, 140)
    curve = 255 / (1 + np.exp(-(np.arange(256) - knee) / rng.uniform(14, 30)))
    return cv2.LUT(picture, np.clip(curve * rng.uniform(0.6, 1) + rng.uniform(0, 25), 0, 255).astype(np.uint8))


def shadow(picture, rng):
    """Darkens one side of a straight, more or less sharp edge: the bumper's shadow, a half-lit plate."""
    height, width = picture.shape
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    side = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.3, 0.3)) / rng.uniform(0.01, 0.4)
    light = 1 - rng.uniform(0.2, 0.6) * np.clip(side + 0.5, 0, 1)
    return (picture * light).astype(np.uint8)


def dirt(picture, rng):
    """Covers spots with mud, snow or worn paint."""
    height, width = picture.shape
    coarse = rng.random((max(2, height // 10), max(2, width // 10)), dtype=np.float32)
    cover = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((cover - rng.uniform(0.7, 0.95)) * 4, 0, 1) * rng.uniform(0.3, 0.95)
    return (picture * (1 - cover) + rng.uniform(30, 220) * cover).astype(np.uint8)


def roadside(picture, rng, strength, wide):
    """One draw of the camera's own faults, in the order in which they happen.

    `strength` is 0 to 1; blur is held to what leaves a plate of `wide` pixels readable, more or less.
    """
    reach = min(1.0, wide / 100)
    if rng.random() < 0.25 + 0.3 * strength:
        picture = defocus(picture, rng, 0.5 + 0.8 * strength * reach)
    if rng.random() < 0.2 * strength:
        picture = motion(picture, rng, 2 + 4 * strength * reach)
    if rng.random() < 0.6:
        picture = noise(picture, rng, 2 + 9 * strength)
    if rng.random() < 0.25:
        picture = sharpen(picture, rng)
    if rng.random() < 0.7:
        picture = compress(picture, rng, 75 - 45 * strength)
    return picture
