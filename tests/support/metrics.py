"""Judges a page of metrics on standard input: its format by Prometheus' own client, its names by Prometheus' conventions
(https://prometheus.io/docs/practices/naming/)."""

import sys

from prometheus_client.parser import text_string_to_metric_families

BASE_UNITS = ("seconds", "bytes", "celsius", "volts", "meters", "ratio", "info")
OTHER_UNITS = ("milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "mb", "kb", "ms", "percent")

text = sys.stdin.read()
families = list(text_string_to_metric_families(text))
faults = [] if families else ["there are no metrics"]
if not text.endswith("\n"):
    faults.append("the last line does not end")
seen = set()
for family in families:
    name = family.name
    if name in seen:
        faults.append(f"{name} stands twice")
    seen.add(name)
    if not name.startswith("milepost_"):
        faults.append(f"{name} does not begin with milepost_")
    if not family.documentation:
        faults.append(f"{name} is not explained")
    if family.type not in ("counter", "gauge"):
        faults.append(f"{name} has no type: {family.type}")
    if not family.samples:
        faults.append(f"{name} has no sample")
    for sample in family.samples:
        if (family.type == "counter") != sample.name.endswith("_total"):
            faults.append(f"{sample.name}: counters, and only they, end in _total")
    if name.rsplit("_", 1)[-1] in OTHER_UNITS:
        faults.append(f"{name} is not in base units ({', '.join(BASE_UNITS)})")
sys.exit("\n".join(faults) or None)
