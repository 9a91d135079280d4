"""Is config/asyncapi.yaml whole? document.py FOLDER, where FOLDER holds the tests' support; with `addresses` behind it, prints
those; with `example NAME`, the payload of a message's first example.

By AsyncAPI's own schema; every channel has a message and somebody on either side; every message has a schema and an example that
it fits; every signature in an example is good; and the access list grants each exactly what the document says.
"""

import base64
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
from contract import DOCUMENT, Contract  # noqa: E402
from jsonschema import Draft7Validator  # noqa: E402

CONFIG = DOCUMENT.parent
ASYNCAPI = pathlib.Path(__file__).parents[1] / "fixtures" / "asyncapi" / "3.0.0.json"
# Ed25519 keys in DER: what stands before the 32 bytes.
SPKI = bytes.fromhex("302a300506032b6570032100")

contract = Contract()
document = contract.document
if "addresses" in sys.argv:
    print("\n".join(channel["address"] for channel in document["channels"].values()))
    sys.exit()
if "example" in sys.argv:
    print(json.dumps(document["components"]["messages"][sys.argv[-1]]["examples"][0]["payload"]))
    sys.exit()


def wrong(mistakes):
    if mistakes:
        sys.exit("\n".join(mistakes))


def verifies(key, purpose, envelope):
    with tempfile.TemporaryDirectory() as folder:
        file = lambda name, content: (pathlib.Path(folder, name).write_bytes(content), f"{folder}/{name}")[1]  # noqa: E731
        signed = b"milepost " + purpose.encode() + b"\n" + envelope["payload"].encode()
        signature = base64.b64decode(envelope["signatures"][0]["signature"])
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        files = ["-inkey", file("key", SPKI + key), "-in", file("signed", signed), "-sigfile", file("sig", signature)]
        return subprocess.run(command + files, capture_output=True).returncode == 0


def without_ids(schema):
    """Debian 12's library takes a property named `$id` for an id."""
    if isinstance(schema, list):
        return [without_ids(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_ids(value) for key, value in schema.items() if key != "$id" or isinstance(value, str)}


asyncapi = Draft7Validator(without_ids(json.loads(ASYNCAPI.read_text())))
wrong([f"{list(error.absolute_path)}: {error.message[:200]}" for error in asyncapi.iter_errors(document)])

mistakes = []
key = base64.b64decode(re.search(r"`([A-Za-z0-9+/]{43}=)`", document["info"]["description"])[1])
messages = document["components"]["messages"]
for name, message in messages.items():
    kind = message.get("contentType", document["defaultContentType"])
    if "payload" not in message or not message.get("examples"):
        mistakes.append(f"the message {name} has no schema or no example")
    if "json" not in kind:
        continue
    for example in message.get("examples", []):
        judged = contract.judge_as(message, json.dumps(example["payload"]).encode())
        if "x-purpose" in message:
            by = example["payload"]["signatures"][0]["key"]
            if by != hashlib.sha256(key).hexdigest()[:16] or not verifies(key, message["x-purpose"], example["payload"]):
                judged.append("its signature is not good")
        mistakes += [f"the example {example['name']!r} of {name}: {mistake}" for mistake in judged]
used = {reference["$ref"] for channel in document["channels"].values() for reference in channel["messages"].values()}
mistakes += [f"no channel has the message {name}" for name in messages if f"#/components/messages/{name}" not in used]
named = set(re.findall(r"\./schemas/([a-z-]+)\.json", DOCUMENT.read_text()))
mistakes += [f"nothing names {file.name}" for file in CONFIG.glob("schemas/*.json") if file.stem not in named]
wrong(mistakes)

# The access list. What the unit sends it writes, what it receives it reads; lists and rosters are for all.
UNITS = "milepost/v1/units/"
acts = {}
for operation in document["operations"].values():
    channel = operation["channel"]["$ref"].removeprefix("#/channels/")
    acts.setdefault(channel, set()).add(operation["action"])
mistakes += [f"no operation uses the channel {channel}" for channel in document["channels"] if channel not in acts]
expected = {"pattern read milepost/v1/lists/#", "pattern read milepost/v1/rosters/+"}
for name, channel in document["channels"].items():
    if channel["address"].startswith(UNITS):
        act = {"send": "write", "receive": "read"}
        act = act[min(acts[name])] if len(acts[name]) == 1 else "readwrite"
        expected.add(f"pattern {act} " + channel["address"].replace("{unit}", "%u").replace("{record}", "+"))
granted, roles, role = set(), {}, None
for line in (CONFIG / "mosquitto" / "acl").read_text().splitlines():
    if line.startswith("user "):
        role = roles.setdefault(line.removeprefix("user "), [])
    elif line.startswith("topic "):
        role.append(line.split()[1:])
    elif line.startswith("pattern "):
        granted.add(line)
mistakes += [f"config/mosquitto/acl does not grant every unit: {line}" for line in sorted(expected - granted)]
mistakes += [f"config/mosquitto/acl grants every unit what no channel needs: {line}" for line in sorted(granted - expected)]


def covers(topic, address):
    address = re.sub(r"\{\w+\}", "x", address)
    return re.fullmatch(re.escape(topic).replace(r"\+", "[^/]+").replace(r"\#", ".+").replace("#", ".+"), address) is not None


for name, channel in document["channels"].items():
    may = {
        act: {user for user, grants in roles.items() for kind, topic in grants if act in kind and covers(topic, channel["address"])}
        for act in ("read", "write")
    }
    own = {"send", "receive"} <= acts[name]
    if may["write"] and "send" in acts[name]:
        mistakes.append(f"{channel['address']} is the unit's alone to write, and {may['write']} may")
    if not own and "send" in acts[name] and not may["read"]:
        mistakes.append(f"nobody at the department may read {channel['address']}")
    if not own and "receive" in acts[name] and not may["write"]:
        mistakes.append(f"nobody at the department may write {channel['address']}")
for user, grants in roles.items():
    for _, topic in grants:
        if not any(covers(topic, channel["address"]) for channel in document["channels"].values()):
            mistakes.append(f"{user} is granted {topic}, which no channel has")
wrong(mistakes)
