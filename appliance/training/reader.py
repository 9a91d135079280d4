"""The reader: one rectified plate in, a distribution for each of eight characters and for the state out.

    plate [N, 1, 64, 160] ─ stem ─► 16x40 ─► 8x20 ─┬─► 4x10: the whole plate at once ─┬─► state
                                                   └────────────── + ◄────────────────┘
                                                                   │
              for each slot: where to look (an attention map over 8x20), and what stands there ─┬─► characters
                                 what stands in all slots together, beside the state's features ┘

The 4x10 branch sees the whole plate: the place of the third character depends on how many stand before it.
The slots together tell a serial's letters from its digits where one look at the stroke does not: a state's 1 from its I.
"""

import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from . import splits
from .reader_data import HEIGHT, IGNORE, STATES, WIDTH, Examples, Peer, flat_sources, grounds, loosely_cut, on_the_road, slots
from .truths import ALPHABET, SLOTS

BATCH = 128
PEAK_RATE = 2.5e-3
CHECKPOINT_STEPS = 250
LOOSE_VALIDATION = 0.7  # difficulty of the corners with which validation pictures are cut


def conv(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(x + self.second(self.first(x)))


class Reader(nn.Module):
    FINE, COARSE = 112, 144  # channels at 8x20 and at 4x10
    HIDDEN = 128  # of each slot

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(1, 24, 2), conv(24, 48, 2), Residual(48), conv(48, self.FINE, 2), Residual(self.FINE))
        self.whole = nn.Sequential(conv(self.FINE, self.COARSE, 2), Residual(self.COARSE))
        self.back = nn.Conv2d(self.COARSE, self.FINE, 1)
        self.merge = conv(self.FINE, self.FINE)
        self.look = nn.Conv2d(self.FINE, SLOTS, 1)
        self.place = nn.Parameter(_usual_places())
        self.stroke = nn.Linear(self.FINE, self.HIDDEN)
        self.company = nn.Sequential(nn.Linear(SLOTS * self.FINE + 96, 128), nn.ReLU(inplace=True), nn.Linear(128, SLOTS * self.HIDDEN))
        self.character = nn.Linear(self.HIDDEN, len(ALPHABET) + 1)
        self.issuer = nn.Sequential(
            nn.Conv2d(self.COARSE, 40, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(40 * 40, 96), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.state = nn.Linear(96, len(STATES) + 1)
        # Temperatures, fitted after training, so that a softmax of the outputs is a calibrated probability.
        self.register_buffer("cooling", torch.ones(2))

    def forward(self, plate):
        fine = self.stem(plate)
        whole = self.whole(fine)
        fine = self.merge(fine + F.interpolate(self.back(whole), scale_factor=2.0, mode="nearest"))
        cells = (HEIGHT // 8) * (WIDTH // 8)
        # Two dimensions when the softmax is taken: OpenCV 4.6 reads a softmax over more of them differently.
        look = (self.look(fine) + self.place).reshape(-1, cells)
        look = torch.softmax(look, 1).reshape(-1, SLOTS, cells)
        seen = torch.matmul(look, fine.reshape(-1, self.FINE, cells).transpose(1, 2))
        issuer = self.issuer(whole)
        company = self.company(torch.cat([seen.reshape(-1, SLOTS * self.FINE), issuer], 1))
        hidden = F.relu(self.stroke(seen.reshape(-1, self.FINE)) + company.reshape(-1, self.HIDDEN))
        characters = self.character(hidden).reshape(-1, SLOTS, len(ALPHABET) + 1)
        return characters * self.cooling[0], self.state(issuer) * self.cooling[1]


def _usual_places():
    """Where each slot looks before it has learned better: across the inset plate from left to right."""
    y, x = torch.meshgrid(torch.arange(HEIGHT // 8), torch.arange(WIDTH // 8), indexing="ij")
    middle = 3 + torch.arange(SLOTS)[:, None, None] * 2.1
    return (-((x - middle) ** 2) / 6 - (y - 3.5) ** 2 / 5).float()[None]


class Stream(torch.utils.data.IterableDataset):
    """Batches without end, from a process of its own; `difficulty` is shared with the trainer, which raises it."""

    def __init__(self, examples, difficulty, seed):
        self.examples, self.difficulty, self.seed = examples, difficulty, seed

    def __iter__(self):
        torch.set_num_threads(1)
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            pictures, texts, states = zip(*(self.examples.draw(rng, self.difficulty.value) for _ in range(BATCH)))
            yield torch.from_numpy(np.stack(pictures)), torch.tensor(texts), torch.tensor(states)


def loss(characters, state, text, true_state):
    by_character = F.cross_entropy(characters.flatten(0, 1), text.flatten(), ignore_index=IGNORE)
    known = (true_state != IGNORE).sum().clamp(min=1)
    by_state = F.cross_entropy(state, true_state, ignore_index=IGNORE, reduction="sum") / known
    return by_character + 0.15 * by_state


def as_input(pictures):
    return pictures[:, None].float().div_(255).contiguous(memory_format=torch.channels_last)


def train(folder: Path, peer: Peer, minutes: float, seed: int = 7):
    """Trains for `minutes` of wall-clock time in all, going on from `folder`'s checkpoint where there is one.

    Time, not steps, is the budget: learning rate and difficulty follow the share of it that has passed.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # before the fork below: OpenCV's thread pool does not live through one
    torch.manual_seed(seed)
    reader = Reader().to(memory_format=torch.channels_last)
    decayed = [p for p in reader.parameters() if p.ndim > 1]
    others = [p for p in reader.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}])
    average = averaged(reader)
    checkpoint = folder / "reader.pt"
    step, spent = 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint)
        reader.load_state_dict(kept["reader"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step, spent = kept["step"], kept["spent"]

    examples = Examples(peer)
    difficulty = torch.multiprocessing.get_context("fork").Value("d", 0.0)
    stream = torch.utils.data.DataLoader(Stream(examples, difficulty, seed + step), batch_size=None, num_workers=1,
                                         multiprocessing_context="fork", prefetch_factor=8)  # fmt: skip
    stream = iter(stream)
    judge = validation(peer)
    peer.save()
    running, began = None, time.monotonic() - spent
    for pictures, text, state in stream:
        spent = time.monotonic() - began
        progress = min(1.0, spent / (60 * minutes))
        difficulty.value = min(1.0, progress / 0.3)
        rate = PEAK_RATE * min(1, (step + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            characters, states = reader(as_input(pictures))
        error = loss(characters.float(), states.float(), text, state)
        optimiser.zero_grad(set_to_none=True)
        error.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 2.0)
        optimiser.step()
        average.update_parameters(reader)
        running = error.item() if running is None else 0.98 * running + 0.02 * error.item()
        step += 1
        if step % 100 == 0:
            print(f"step {step} at {spent / 60:.1f} min: loss {running:.3f}, rate {rate:.2e}, difficulty {difficulty.value:.2f}", flush=True)
        if step % CHECKPOINT_STEPS == 0 or progress == 1:
            exact, right_state = share_right(average.module.eval(), *judge)
            print(f"step {step}: validation exact {exact:.3f}, state {right_state:.3f}", flush=True)
            kept = {"reader": reader.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            torch.save(kept, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
        if progress == 1:
            break


def averaged(reader):
    """A running mean of the weights, steadier than those of any one step."""
    mean = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9985)
    return torch.optim.swa_utils.AveragedModel(reader, multi_avg_fn=mean, use_buffers=True)


def validation(peer: Peer):
    """The validation part, cut and darkened a little: inputs, slot targets, state targets."""
    rng = np.random.default_rng(1)
    sources = [s for name in ("us-plates", "us-states", "plates-br") for s in flat_sources(name, splits.VALIDATE, peer)]
    road = grounds(splits.VALIDATE)
    pictures, texts, states = [], [], []
    for source in sources * 2:
        picture, corners, _ = on_the_road(source.picture, road, rng, LOOSE_VALIDATION)
        pictures.append(loosely_cut(picture, corners, rng, LOOSE_VALIDATION))
        texts.append(slots(source.text))
        states.append(source.state)
    return as_input(torch.from_numpy(np.stack(pictures))), torch.tensor(texts), torch.tensor(states)


def outputs(reader, inputs):
    with torch.no_grad():
        parts = [reader(part) for part in inputs.split(256)]
    return torch.cat([c for c, _ in parts]), torch.cat([s for _, s in parts])


def share_right(reader, inputs, text, state):
    characters, states = outputs(reader, inputs)
    known = text[:, 0] != IGNORE
    exact = (characters.argmax(-1) == text).all(1)[known].float().mean().item()
    return exact, (states.argmax(-1) == state).float().mean().item()


def export(folder: Path, peer: Peer, path: Path):
    """Writes the weights as ONNX, with temperatures fitted on the validation part folded in."""
    average = averaged(Reader())
    average.load_state_dict(torch.load(folder / "reader.pt")["average"])
    reader = average.module.eval()
    inputs, text, state = validation(peer)
    characters, states = outputs(reader, inputs)
    reader.cooling = torch.tensor([_cooling(characters, text), _cooling(states[:, None], state[:, None])])
    torch.onnx.export(reader, (inputs[:1],), path, input_names=["plate"], output_names=["characters", "state"],
                      opset_version=12, dynamo=False)  # fmt: skip
    print(f"{path.name}: logits times {reader.cooling.tolist()}")


def _cooling(logits, target):
    """What to multiply the logits [N, slots, classes] with so that the confidence of whole reads comes nearest to the truth.

    By Brier score, which a few wrong or debatable texts of the truth cannot rule as they would a likelihood.
    """
    known = target[:, 0] != IGNORE
    logits, right = logits[known], (logits.argmax(-1) == target).all(1)[known].float()
    choices = torch.linspace(0.5, 2, 76)
    scores = [(F.softmax(logits * choice, -1).amax(-1).prod(1) - right).square().mean().item() for choice in choices]
    return choices[int(np.argmin(scores))].item()
