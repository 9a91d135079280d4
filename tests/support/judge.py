"""Judges every message of a line `TOPIC HEXADECIMAL-PAYLOAD .` on standard input by config/asyncapi.yaml.

judge.py [EXCUSED...]: topics under an excused prefix are not judged. Fails with each kind of mistake, and how often it was made.
"""

import collections
import re
import sys

from contract import Contract

contract, excused = Contract(), tuple(sys.argv[1:])
made = collections.Counter()
for line in sys.stdin:
    topic, *payload = line.rstrip("\n").split(" ")
    if len(payload) != 2 or not topic.startswith("milepost/") or topic.startswith(excused):
        continue
    for mistake in contract.judge(topic, bytes.fromhex(payload[0])):
        made[re.sub(r"\[\d+\]", "[]", f"{topic}: {mistake}")] += 1
if made:
    sys.exit("\n".join(f"{mistake}{f' ({times} times)' if times > 1 else ''}" for mistake, times in made.most_common(20)))
