#!/bin/sh
# Trains both networks, writes them to appliance/models and prints the figures of their cards.
# Photographs are read from $MILEPOST_DATASETS (default ../shared/datasets); stopped, it goes on from its checkpoints.
# The rendered plates need Debian's fonts: fonts-dejavu fonts-liberation fonts-roboto-unhinted fonts-open-sans
# fonts-lato fonts-league-mono fonts-cantarell.
set -eu
cd "$(dirname "$0")/../.."
venv=target/training/venv
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement appliance/training/requirements.txt
export PYTHONPATH=appliance
for command in localiser reader export evaluate; do
    "$venv/bin/python" -m training "$command"
done
