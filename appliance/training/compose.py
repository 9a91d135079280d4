"""Plates that never were: real designs with other real characters, and wholly rendered ones."""

from collections import defaultdict
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .glyphs import GLYPH_HEIGHT, Design, Glyph

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
# Most states do not issue I, O and Q, which look like 1 and 0: they stand on plates of choice only.
LETTER_ODDS = np.array([0.25 if letter in "IOQ" else 1.0 for letter in LETTERS])
LETTER_ODDS /= LETTER_ODDS.sum()
SIZE = (224, 112)  # width, height of a composed plate: the 12x6 inch of a US plate

STATE_NAMES = {
    "ak": "ALASKA", "al": "ALABAMA", "ar": "ARKANSAS", "az": "ARIZONA", "ca": "CALIFORNIA", "co": "COLORADO",
    "ct": "CONNECTICUT", "dc": "WASHINGTON, DC", "de": "DELAWARE", "fl": "FLORIDA", "ga": "GEORGIA", "hi": "HAWAII",
    "ia": "IOWA", "id": "IDAHO", "il": "ILLINOIS", "in": "INDIANA", "ks": "KANSAS", "ky": "KENTUCKY",
    "la": "LOUISIANA", "ma": "MASSACHUSETTS", "md": "MARYLAND", "me": "MAINE", "mi": "MICHIGAN", "mn": "MINNESOTA",
    "mo": "MISSOURI", "ms": "MISSISSIPPI", "mt": "MONTANA", "nc": "NORTH CAROLINA", "nd": "NORTH DAKOTA",
    "ne": "NEBRASKA", "nh": "NEW HAMPSHIRE", "nj": "NEW JERSEY", "nm": "NEW MEXICO", "nv": "NEVADA",
    "ny": "NEW YORK", "oh": "OHIO", "ok": "OKLAHOMA", "or": "OREGON", "pa": "PENNSYLVANIA", "ri": "RHODE ISLAND",
    "sc": "SOUTH CAROLINA", "sd": "SOUTH DAKOTA", "tn": "TENNESSEE", "tx": "TEXAS", "ut": "UTAH", "va": "VIRGINIA",
    "vt": "VERMONT", "wa": "WASHINGTON", "wi": "WISCONSIN", "wv": "WEST VIRGINIA", "wy": "WYOMING",
}  # fmt: skip

SLOGANS = (
    "THE EMPIRE STATE", "Garden State", "SUNSHINE STATE", "Live Free or Die", "The Spirit of America", "dmv.ca.gov",
    "Famous Potatoes", "Land of Lincoln", "10,000 lakes", "Show-Me State", "America's Dairyland", "Ocean State",
    "TRUCK", "DEALER", "COMMERCIAL", "First in Flight", "The Lone Star State", "Peach State", "DISABLED VETERAN",
)  # fmt: skip

# Debian's fonts-dejavu-core, -dejavu-extra, -liberation, -roboto-unhinted, -open-sans, -lato, -opendin, -league-mono.
# The first two are those of the product's own rendered traffic and canary.
PLATE_FONTS = (
    "DejaVuSansMono-Bold.ttf", "DejaVuSansCondensed-Bold.ttf", "DejaVuSans-Bold.ttf", "LiberationSansNarrow-Bold.ttf",
    "LiberationSans-Bold.ttf", "LiberationMono-Bold.ttf", "RobotoCondensed-Bold.ttf", "RobotoCondensed-Regular.ttf",
    "Roboto-Bold.ttf", "Roboto-Medium.ttf", "OpenSans-CondBold.ttf", "Lato-Bold.ttf", "LeagueMono-CondensedBold.otf",
    "LeagueMono-NarrowBold.otf", "LeagueMono-CondensedSemiBold.otf", "DejaVuSansMono.ttf", "Cantarell-Bold.otf",
)  # fmt: skip
NAME_FONTS = ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf", "DejaVuSerif-Bold.ttf", "LiberationSerif-Italic.ttf",
              "LiberationSans-Bold.ttf", "Lato-BlackItalic.ttf", "RobotoCondensed-Bold.ttf")  # fmt: skip


@lru_cache(maxsize=512)
def _font(name, size):
    return ImageFont.truetype(name, size)


def random_text(rng, like: str | None = None) -> str:
    """A plate text: the pattern of `like` (letters and digits in the same places), a common pattern, or anything."""
    if like is not None and rng.random() < 0.7:
        pattern = "".join("9" if c in DIGITS else "A" for c in like)
    elif rng.random() < 0.75:
        pattern = str(rng.choice(["AAA9999", "9AAA999", "AAA999", "999AAA", "AA9999", "AAA99A", "A99AAA", "999999",
                                  "AA99999", "9AA999", "99AA999", "AAA9A99", "9999AA", "AAA99", "99999", "A9999999"]))  # fmt: skip
    else:
        pattern = "".join(rng.choice(["A", "9"], size=rng.integers(3, 9)))
    if like is not None and len(pattern) > len(like):
        pattern = pattern[: len(like)]
    text = "".join(str(rng.choice(list(LETTERS), p=LETTER_ODDS) if c == "A" else rng.integers(10)) for c in pattern)
    return spelled(text)


def spelled(text: str) -> str:
    """As the published truth spells it: a word's O, which most states press with the die of the 0, is a 0."""
    return text.replace("O", "0") if not any(c in DIGITS for c in text) else text


class GlyphSetter:
    """Sets real characters into real blank designs."""

    def __init__(self, designs: list[Design], glyphs: list[Glyph]):
        self.designs = designs
        self.by_character = defaultdict(list)
        self.by_state = defaultdict(list)
        for glyph in glyphs:
            self.by_character[glyph.character].append(glyph)
            self.by_state[glyph.state, glyph.character].append(glyph)

    def compose(self, rng) -> tuple[np.ndarray, str, str]:
        """A plate, its text and its state."""
        design = self.designs[rng.integers(len(self.designs))]
        text = random_text(rng, design.text)
        if any(not self.by_character[c] for c in text):
            text = design.text
        first = rng.integers(0, len(design.boxes) - len(text) + 1)
        plate = design.blank.astype(np.float32)
        own_style = rng.random() < 0.75
        # One width for every character: otherwise an M would be squeezed into the place of a 1.
        usual_width = np.median([box[2] for box in design.boxes])
        for character, (x, y, w, h) in zip(text, design.boxes[first:]):
            choice = own_style and self.by_state[design.state, character] or self.by_character[character]
            matte = choice[rng.integers(len(choice))].matte
            width = int(np.clip(matte.shape[1] * h / GLYPH_HEIGHT, 2, 1.25 * usual_width))
            left = int(x + w / 2 - width / 2)
            alpha = cv2.resize(matte, (width, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            x0, x1 = max(0, left), min(plate.shape[1], left + width)
            if x1 <= x0:
                continue
            alpha = alpha[:, x0 - left : x1 - left]
            place = plate[y : y + h, x0:x1]
            place += (design.ink - place) * alpha[: place.shape[0]]
        plate = cv2.resize(plate.astype(np.uint8), SIZE, interpolation=cv2.INTER_AREA)
        return plate, text, design.state


def render(rng, plain: bool | None = None) -> tuple[np.ndarray, str, str | None]:
    """A rendered plate, its text, and its state or None where no name stands on it.

    `plain` ones look as in the product's rendered traffic: even ink on an even sheet, a name above, nothing else.
    """
    plain = rng.random() < 0.35 if plain is None else plain
    width, height = SIZE
    ground = int(rng.uniform(190, 255) if plain else rng.uniform(150, 250))
    ink = int(rng.uniform(0, ground - (130 if plain else 90)))
    if rng.random() < (0.1 if plain else 0.2):
        ground, ink = ink, ground
    picture = Image.fromarray(_ground(rng, ground, 0 if plain else rng.choice([0, 0.4, 1])))
    draw = ImageDraw.Draw(picture)

    state = str(rng.choice(list(STATE_NAMES))) if rng.random() < 0.8 else None
    top = int(height * rng.uniform(0.1, 0.24))
    bottom = int(height * rng.uniform(0.76, 0.95))
    strip = ink
    if not plain and rng.random() < 0.25:
        strip = int(rng.uniform(0, 255))
        draw.rectangle((0, 0, width, top), fill=(strip + 128) % 256)
    if state:
        name = STATE_NAMES[state]
        if plain and rng.random() < 0.7:
            _spaced(draw, name, PLATE_FONTS[rng.integers(2)], (width / 2, top / 2 + 3), rng.uniform(10.5, 13), top * 0.85, strip)
        else:
            name = name if rng.random() < 0.6 else name.title()
            _line(draw, name, rng.choice(NAME_FONTS), (width / 2, top / 2 + 2), (width * 0.8, top), strip)
    if not plain and rng.random() < 0.7:
        _line(draw, str(rng.choice(SLOGANS)), rng.choice(NAME_FONTS), (width / 2, (height + bottom) / 2 - 2),
              (width * 0.7, height - bottom), strip)  # fmt: skip
    font = PLATE_FONTS[rng.integers(2)] if plain else str(rng.choice(PLATE_FONTS))
    text = random_text(rng)
    _characters(draw, rng, text, font, top, bottom, ink)
    picture = np.array(picture)
    if not plain:
        picture = _emboss(picture, rng)
        for _ in range(rng.integers(0, 3)):  # year and month stickers, in the corners
            w, h = rng.integers(16, 30), rng.integers(10, 20)
            x = rng.choice([4, width - 4 - w])
            y = rng.choice([3, height - 3 - h])
            cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), int(rng.uniform(0, 255)), -1)
            cv2.putText(picture, str(rng.integers(10, 99)), (int(x) + 1, int(y + h) - 2), 0, 0.4, int(rng.uniform(0, 255)), 1)
        for x in (0.2, 0.8):
            if rng.random() < 0.6:
                y = rng.choice([0.08, 0.92])
                cv2.circle(picture, (int(x * width), int(y * height)), 4, int(rng.uniform(0, 220)), -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), int(rng.uniform(0, 255)), int(rng.integers(1, 6)))
    return picture, text, state


def _ground(rng, level, artwork):
    """The sheet: even, or with soft artwork of up to `artwork` times 45 grey levels."""
    width, height = SIZE
    sheet = np.full((height, width), level, np.float32)
    if artwork:
        coarse = rng.standard_normal((rng.integers(2, 8), rng.integers(2, 10))).astype(np.float32)
        sheet += cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC) * 22 * artwork
    return np.clip(sheet, 0, 255).astype(np.uint8)


def _line(draw, text, font, centre, room, ink):
    """Writes `text` as large as the room (width, height) allows around `centre`."""
    size = max(6, int(room[1] * 0.95))
    face = _font(str(font), size)
    length = face.getlength(text)
    if length > room[0]:
        face = _font(str(font), max(6, int(size * room[0] / length)))
    draw.text(centre, text, font=face, fill=ink, anchor="mm")


def _spaced(draw, text, font, centre, pitch, high, ink):
    """Writes `text` with `pitch` pixels from one character to the next, `high` pixels high."""
    face = _font(font, 24)
    _, up, _, down = face.getbbox("H")
    x = centre[0] - pitch * (len(text) - 1) / 2
    for character in text:
        if character != " ":
            _stretched(draw, character, face, high / (down - up), x, centre[1], pitch * 0.86, ink)
        x += pitch


def _characters(draw, rng, text, font, top, bottom, ink):
    """Sets the text between `top` and `bottom`, with gap, dash or drawing, a stacked pair now and then."""
    width, _ = SIZE
    slots = []  # (text, relative width, stacked)
    # Small stacked characters beside the number belong to the kind of plate; the truth of real ones leaves them out.
    stack = "".join(rng.choice(list(LETTERS if rng.random() < 0.85 else DIGITS), rng.integers(2, 4))) if rng.random() < 0.12 else ""
    if stack and rng.random() < 0.7:
        slots.append((stack, 0.6, True))
    gap_at = rng.integers(1, len(text)) if rng.random() < 0.6 else -1
    for i, character in enumerate(text):
        if i == gap_at:
            slots.append((str(rng.choice(["", "-", "·", ""])), rng.uniform(0.3, 1.1), False))
        slots.append((character, 1.0, False))
    if stack and not slots[0][2]:
        slots.append((stack, 0.6, True))
    room = width * rng.uniform(0.78, 0.96)
    pitch = min(room / sum(s[1] for s in slots), 40)
    x = (width - pitch * sum(s[1] for s in slots)) / 2
    face = _font(font, int((bottom - top) * rng.uniform(0.85, 1.1)))
    left, up, right, down = face.getbbox("H")
    scale = (bottom - top) * rng.uniform(0.72, 0.95) / (down - up)
    middle = (top + bottom) / 2
    for characters, share, stacked in slots:
        if stacked:
            high = (bottom - top) * 0.96 / len(characters)
            small = _font(font, max(8, int(high)))
            for row, character in enumerate(characters):
                place = (x + pitch * share / 2, middle + (row - (len(characters) - 1) / 2) * high)
                draw.text(place, character, font=small, fill=ink, anchor="mm")
        elif characters:
            _stretched(draw, characters, face, scale, x + pitch * share / 2, middle, pitch * 0.98, ink)
        x += pitch * share


def _stretched(draw, character, face, scale, x, y, most, ink):
    """Draws one character `scale` times as tall, and no wider than `most` pixels: plates' dies are condensed."""
    box = face.getbbox(character)
    cut = Image.new("L", (box[2] - box[0] + 2, box[3] - box[1] + 2))
    ImageDraw.Draw(cut).text((1 - box[0], 1 - box[1]), character, font=face, fill=255)
    high = max(2, round(cut.height * scale))
    wide = max(2, round(min(cut.width * scale, most)))
    cut = cut.resize((wide, high), Image.Resampling.BILINEAR)
    draw.bitmap((x - wide / 2, y - high / 2), cut, fill=ink)


def _emboss(picture, rng):
    """Lights the pressed edges from above or below."""
    if rng.random() < 0.5:
        return picture.copy()
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2).astype(np.float32)
    relief = soft - np.roll(soft, int(rng.choice([-2, 2])), axis=0)
    return np.clip(picture + relief * rng.uniform(0.1, 0.4), 0, 255).astype(np.uint8)
