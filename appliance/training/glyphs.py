"""Takes labelled flat plates apart: the blank design, and each character as a matte that can be set anew."""

from dataclasses import dataclass

import cv2
import numpy as np

GLYPH_HEIGHT = 48  # pixels; about what a character has on a flat plate 128 px high


@dataclass
class Glyph:
    character: str
    state: str
    matte: np.ndarray  # uint8 [GLYPH_HEIGHT, width]: 255 where there is ink


@dataclass
class Design:
    """A plate without its characters, and where they stood."""

    state: str
    text: str
    blank: np.ndarray  # uint8 [H, W]
    boxes: list[tuple[int, int, int, int]]  # x, y, width, height of each character, left to right
    ink: int  # luma of the characters


def take_apart(plate: np.ndarray, text: str, state: str) -> tuple[Design, list[Glyph]] | None:
    """Separates the characters of `plate`, or None unless exactly those of `text` stand out clearly."""
    for dark_ink in (True, False):
        sheet = plate if dark_ink else 255 - plate
        boxes, mask = _characters(sheet, len(text))
        if boxes is None:
            continue
        inside = sheet[mask > 0]
        ink, paper = float(np.median(inside)), float(np.median(sheet[mask == 0]))
        if paper - ink < 40:
            return None
        matte = np.clip((paper - sheet.astype(np.float32)) / (paper - ink), 0, 1) * 255
        near = cv2.dilate(mask, np.ones((5, 5), np.uint8))
        matte = np.where(near > 0, matte, 0).astype(np.uint8)
        glyphs = []
        for character, (x, y, w, h) in zip(text, boxes):
            cut = matte[max(0, y - 1) : y + h + 1, max(0, x - 1) : x + w + 1]
            width = max(6, round(cut.shape[1] * GLYPH_HEIGHT / cut.shape[0]))
            glyphs.append(Glyph(character, state, cv2.resize(cut, (width, GLYPH_HEIGHT), interpolation=cv2.INTER_AREA)))
        # The embossed edge beside the ink goes as well.
        hole = cv2.dilate(mask, np.ones((7, 7), np.uint8))
        blank = cv2.inpaint(plate, hole, 4, cv2.INPAINT_TELEA)
        return Design(state, text, blank, boxes, round(ink if dark_ink else 255 - ink)), glyphs
    return None


def _characters(sheet, count):
    """Boxes and mask of the `count` dark upright parts of one height in one row, or (None, None)."""
    height, width = sheet.shape
    block = (height // 2) | 1
    near = cv2.adaptiveThreshold(sheet, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 12)
    level, _ = cv2.threshold(sheet[height // 5 : -height // 5], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    for ink in ((sheet < level).astype(np.uint8) * 255, near):
        parts, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=4)
        keep = []
        for part in range(1, parts):
            x, y, w, h, area = stats[part]
            if 0.3 * height < h < 0.72 * height and w < 0.2 * width and x > 1 and x + w < width - 1 and area > 0.15 * w * h:
                keep.append(part)
        if len(keep) != count:
            continue
        keep.sort(key=lambda part: stats[part][0])
        boxes = [tuple(int(v) for v in stats[part][:4]) for part in keep]
        tall = np.array([b[3] for b in boxes])
        if tall.max() > 1.25 * tall.min() or np.ptp([b[1] for b in boxes]) > 0.15 * height:
            continue
        mask = np.isin(labels, keep).astype(np.uint8) * 255
        return boxes, mask
    return None, None
