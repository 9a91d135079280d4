"""The localiser: one reduced luma frame in, a heat map of plate centres and four corner offsets out.

A small U-shaped network of plain 3x3 convolutions, which both bfloat16 training and OpenCV's
`dnn` run faster than depthwise ones of the same accuracy. Shapes, for a picture [n, 1, H, W]
of luma/255 with H and W multiples of 32:

    heat     [n, 1, H/4, W/4]  logits with a peak in the cell that holds a plate's centre
    corners  [n, 8, H/4, W/4]  x, y of top-left, top-right, bottom-right, bottom-left, from the
                               cell's centre, in input pixels divided by CORNER_UNIT

Twice on the way the training data is mended by what the network has learned so far: places
where it sees plates that are none are shown more often, and the loose upright boxes of real
scenes give way to the corners that it has learned from composed plates.
"""

import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .laying import Plate, bounds, inside
from .locating import CORNER_UNIT, STRIDE, Forward, intersection_over_union, locate
from .scenes import SMALLEST_WIDTH, Composer

PEAK_RATE = 2e-3
# At these shares of the time the network's own mistakes are fed back.
MEND_AT = (0.45, 0.7)
# What it takes on a background to be a mistake worth showing again: a little below the product's threshold.
TRAP_SCORE = 0.2
# In a scene whose truth may leave out a parked car's plate, this much is no mistake but a doubt.
DOUBTFUL_SCORE = 0.6
CHECKPOINT = "localiser.pt"
# Cells whose target heat is above this also answer for the corners.
CORNER_HEAT = 0.5
# Input sizes (width, height) and how many of them make a batch of about the same work.
BATCHES = (((384, 256), 16), ((384, 256), 16), ((256, 256), 24), ((640, 384), 6))


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)[:2]

    def forward(self, x):
        return torch.relu(x + self.second(self.first(x)))


class Localiser(nn.Module):
    """0.30 G multiply-adds at 640x384, 0.22 M weights."""

    def __init__(self):
        super().__init__()
        self.to_quarter = nn.Sequential(convolution(1, 8, 2), convolution(8, 16, 2))
        self.to_eighth = nn.Sequential(convolution(16, 32, 2), Residual(32))
        self.to_16th = nn.Sequential(convolution(32, 48, 2), Residual(48))
        self.to_32nd = nn.Sequential(convolution(48, 64, 2), Residual(64))
        self.narrow_32nd = nn.Conv2d(64, 48, 1)
        self.merge_16th = convolution(48, 48)
        self.narrow_16th = nn.Conv2d(48, 32, 1)
        self.merge_eighth = convolution(32, 32)
        self.narrow_eighth = nn.Conv2d(32, 16, 1)
        self.merge_quarter = convolution(16, 24)
        self.heat = nn.Conv2d(24, 1, 1)
        self.corners = nn.Conv2d(24, 8, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # plates are rare: start from "nowhere"

    def forward(self, picture):
        quarter = self.to_quarter(picture)
        eighth = self.to_eighth(quarter)
        sixteenth = self.to_16th(eighth)
        deepest = self.narrow_32nd(self.to_32nd(sixteenth))
        sixteenth = self.narrow_16th(self.merge_16th(sixteenth + double(deepest)))
        eighth = self.narrow_eighth(self.merge_eighth(eighth + double(sixteenth)))
        quarter = self.merge_quarter(quarter + double(eighth))
        return self.heat(quarter), self.corners(quarter)


def double(x):
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


# ---- targets and loss ----


def targets(plates: list[Plate], width: int, height: int) -> np.ndarray:
    """What the network should say, [11, height/4, width/4]: heat, where heat counts, 8 corners, their weight."""
    rows, columns = height // STRIDE, width // STRIDE
    target = np.zeros((11, rows, columns), np.float32)
    heat, counts, corners, weight = target[0], target[1], target[2:10], target[10]
    counts[:] = 1
    x = (np.arange(columns) + 0.5) * STRIDE
    y = (np.arange(rows)[:, None] + 0.5) * STRIDE
    for plate in plates:
        left, top, wide, high = box = bounds(plate.corners)
        centre = plate.corners.mean(0)
        seen = np.clip(np.minimum(box[:2] + box[2:], (width, height)) - np.maximum(box[:2], 0), 0, None)
        if plate.doubtful or wide < SMALLEST_WIDTH or not inside(centre, (height, width)) or seen.prod() < 0.8 * wide * high:
            counts[(abs(y - top - high / 2) < high / 2) & (abs(x - left - wide / 2) < wide / 2)] = 0
            continue
        column, row = int(centre[0] / STRIDE), int(centre[1] / STRIDE)
        spread = np.maximum(0.1 * box[2:], 0.8 * STRIDE)
        bump = np.exp(-(((x - x[column]) / spread[0]) ** 2 + ((y - y[row, 0]) / spread[1]) ** 2) / 2)
        np.maximum(heat, bump, out=heat)
        mine = bump > CORNER_HEAT
        for i, (corner_x, corner_y) in enumerate(plate.corners):
            corners[2 * i] = np.where(mine, (corner_x - x) / CORNER_UNIT, corners[2 * i])
            corners[2 * i + 1] = np.where(mine, (corner_y - y) / CORNER_UNIT, corners[2 * i + 1])
        # An error counts by the plate's size, for the reader cuts it out and enlarges it.
        size = np.sqrt(wide * high) / CORNER_UNIT
        weight[mine] = bump[mine] / bump[mine].sum() / size * (1 if plate.exact else 0.25)
    return target


def loss(heat, corners, target):
    """Focal loss of the heat map plus smooth L1 of the corners, both for each plate."""
    wanted, counts, weight = target[:, 0], target[:, 1], target[:, 10]
    logit = heat[:, 0]
    chance = torch.sigmoid(logit)
    peak = (wanted > 0.999).float() * counts
    hit = -nn.functional.logsigmoid(logit) * (1 - chance) ** 2 * peak
    miss = -nn.functional.logsigmoid(-logit) * chance**2 * (1 - wanted) ** 4 * counts * (1 - peak)
    error = nn.functional.smooth_l1_loss(corners, target[:, 2:10], reduction="none", beta=0.1).mean(1)
    plates = peak.sum().clamp(min=4)
    return (hit.sum() + miss.sum()) / plates, 8 * (error * weight).sum() / plates


# ---- training ----


class Batches(torch.utils.data.IterableDataset):
    """Endless batches, drawn in a process of their own."""

    def __init__(self, composer: Composer):
        self.composer = composer

    def __iter__(self):
        cv2.setNumThreads(1)
        while True:
            (width, height), count = BATCHES[self.composer.rng.integers(len(BATCHES))]
            drawn = [self.composer.draw(width, height) for _ in range(count)]
            pictures = np.stack([picture for picture, _ in drawn])[:, None]
            yield pictures, np.stack([targets(plates, width, height) for _, plates in drawn])


def train(folder: Path, minutes: float, seed: int = 7) -> None:
    """Trains for `minutes` of wall-clock time in all, going on from `folder`'s checkpoint where there is one.

    Time, not steps, is the budget: the learning rate follows the share of it that has passed.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # before the fork of the drawing process: OpenCV's thread pool does not live through one
    torch.manual_seed(seed)
    network = Localiser().to(memory_format=torch.channels_last)
    average = averaged(network)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    checkpoint = folder / CHECKPOINT
    step, spent = 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step, spent = kept["step"], kept["spent"]

    composer = Composer(seed + step)
    batches, mended = None, 0
    heat_mean = corner_mean = 1.0
    began = time.monotonic() - spent
    while True:
        progress = min(1.0, (time.monotonic() - began) / (60 * minutes))
        if batches is None or mended < sum(progress >= share for share in MEND_AT):
            mended = sum(progress >= share for share in MEND_AT)
            if mended:
                mend(composer, average.module)
            batches = iter(torch.utils.data.DataLoader(Batches(composer), batch_size=None, num_workers=1, prefetch_factor=8))
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * min(1, (step + 1) / 500) * (0.5 + 0.5 * math.cos(math.pi * progress))
        pictures, target = next(batches)
        pictures = (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            heat, corners = network(pictures)
        heat_loss, corner_loss = loss(heat.float(), corners.float(), target)
        optimiser.zero_grad()
        (heat_loss + corner_loss).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        step += 1
        heat_mean += 0.01 * (heat_loss.item() - heat_mean)
        corner_mean += 0.01 * (corner_loss.item() - corner_mean)
        spent = time.monotonic() - began
        if step % 100 == 0:
            print(f"step {step} at {spent / 60:.1f} min: heat {heat_mean:.3f}, corners {corner_mean:.3f}", flush=True)
        if step % 500 == 0 or progress == 1:
            kept = {"network": network.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(kept | {"step": step, "spent": spent}, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
        if progress == 1:
            break


def averaged(network: nn.Module) -> nn.Module:
    """A running mean of the weights, steadier than those of any one step."""
    mean = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=mean, use_buffers=True)


def mend(composer: Composer, network: nn.Module) -> None:
    """Shows the composer the network's own corners of real plates, and the places that fooled it."""
    network.eval()
    refined = 0
    scenes = [scene for group in composer.scenes.values() for scene in group]
    for scene in scenes:
        fooled, scene.doubtful = [], []
        for detection in locate(forward_with(network), scene.levels[0], 0.1):
            overlap = [intersection_over_union(bounds(detection.corners), box) for box in scene.boxes]
            if max(overlap, default=0.0) > 0.65:
                scene.corners[int(np.argmax(overlap))] = detection.corners
                refined += 1
            elif max(overlap, default=0.0) == 0.0:
                if detection.score > DOUBTFUL_SCORE:
                    scene.doubtful.append(detection.corners)
                elif detection.score > TRAP_SCORE:
                    fooled.append(detection.corners.mean(0))
        scene.traps = np.array(fooled, np.float32).reshape(-1, 2)
    for scene in composer.backgrounds:
        fooled = [detection.corners.mean(0) for detection in locate(forward_with(network), scene.levels[0], TRAP_SCORE)]
        scene.traps = np.array(fooled, np.float32).reshape(-1, 2)
    composer.trapping = [scene for scene in composer.backgrounds if len(scene.traps)]
    trapping, doubtful = sum(len(scene.traps) > 0 for scene in scenes), sum(len(scene.doubtful) for scene in scenes)
    print(f"mend: {refined} real plates with corners, {len(composer.trapping)} backgrounds and {trapping} scenes with traps, "
          f"{doubtful} doubtful places", flush=True)  # fmt: skip


def forward_with(network: nn.Module) -> Forward:
    def forward(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            heat, corners = network(torch.from_numpy(picture))
        return heat.numpy(), corners.numpy()

    return forward


# ---- export ----


def export(folder: Path, path: Path) -> None:
    """Writes the averaged weights as ONNX, every normalisation folded into its convolution."""
    average = averaged(Localiser())
    average.load_state_dict(torch.load(folder / CHECKPOINT)["average"])
    network = fold(average.module.eval())
    names = {"input_names": ["image"], "output_names": ["heat", "corners"]}
    sizes = {"image": {2: "H", 3: "W"}, "heat": {2: "H/4", 3: "W/4"}, "corners": {2: "H/4", 3: "W/4"}}
    example = torch.zeros(1, 1, 384, 640)
    torch.onnx.export(network, example, path, opset_version=11, dynamo=False, dynamic_axes=sizes, **names)


def fold(network: nn.Module) -> nn.Module:
    for name, child in network.named_children():
        layers = list(child.children())
        if len(layers) > 1 and isinstance(layers[1], nn.BatchNorm2d):
            setattr(network, name, nn.Sequential(fuse_conv_bn_eval(layers[0], layers[1]), *layers[2:]))
        else:
            fold(child)
    return network
