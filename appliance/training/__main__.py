"""`python -m training <command>`: localiser, reader (train), export (to ONNX), evaluate."""

import argparse
from pathlib import Path

from . import splits

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ["localiser", "reader"]


def main():
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "target/training", help="checkpoints and caches")
    parser.add_argument("--models", type=Path, default=ROOT / "appliance/models", help="where ONNX files go")
    parser.add_argument("--peer", type=Path, default=splits.DATASETS.parent / "peers/cct_xs_v1_global.onnx",
                        help="the reader that labels unlabelled plates and is measured beside ours")  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    for name, minutes in (("localiser", 75), ("reader", 100)):
        command = commands.add_parser(name, help=f"train the {name}, going on from its checkpoint")
        command.add_argument("--minutes", type=float, default=minutes, help="wall-clock time in all; one core trains, a second one draws")
    for name, does in (("export", "write networks as ONNX"), ("evaluate", "judge exported networks on pictures that never trained")):
        command = commands.add_parser(name, help=does)
        command.add_argument("--only", choices=NETWORKS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    # Imported where needed: judging runs without torch.
    wanted = options.command if options.command in NETWORKS else options.only
    networks = [wanted] if wanted else NETWORKS
    if "localiser" in networks:
        path = options.models / "localiser.onnx"
        if options.command == "evaluate":
            from . import locating

            forward = locating.load(path)
            locating.evaluate(forward, "us-scenes", splits.EVALUATE)
            for dataset in ("scenes-mixed", "backgrounds"):  # these have no evaluation part
                locating.evaluate(forward, dataset, splits.VALIDATE)
        else:
            from . import localiser

            if options.command == "export":
                localiser.export(options.work, path)
            else:
                localiser.train(options.work, options.minutes)
    if "reader" in networks:
        from .reader_data import Peer

        path, peer = options.models / "reader.onnx", Peer(options.peer, options.work / "peer.json")
        if options.command == "evaluate":
            from . import evaluate

            evaluate.report(path, peer)
        else:
            from . import reader

            if options.command == "export":
                reader.export(options.work, peer, path)
            else:
                reader.train(options.work, peer, options.minutes)


if __name__ == "__main__":
    main()
