"""Trains Milepost's two networks from labelled photographs: see `train.sh` for the one command that does it all."""
