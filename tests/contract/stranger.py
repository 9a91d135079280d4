"""A client by somebody who knows config/asyncapi.yaml and config/messages.md, and nothing of Milepost's code.

stranger.py keys FOLDER: makes FOLDER/private.pem, and FOLDER/key with the public key.
stranger.py list FOLDER: the same, and a list as messages FOLDER/N, the topic on the first line of each.
stranger.py work FOLDER HOST PORT UNIT PLATE: publishes a list of that one plate, waits for its alert, gives a receipt, sees the
alert purged, and takes the unit out of service. FOLDER holds authority.pem and client-ROLE.pem and .key besides the keys.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import time
import uuid

VERB, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
PRIVATE = str(FOLDER / "private.pem")
VERSION = 1_790_000_000


def run(*command, given=b""):
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


def public_key():
    # The last 32 bytes of the DER form are the key itself.
    return run("openssl", "pkey", "-in", PRIVATE, "-pubout", "-outform", "DER")[-32:]


def sign(purpose, payload):
    text = json.dumps(payload, indent=1)
    (FOLDER / "signed").write_bytes(b"milepost " + purpose.encode() + b"\n" + text.encode())
    signature = run("openssl", "pkeyutl", "-sign", "-inkey", PRIVATE, "-rawin", "-in", str(FOLDER / "signed"))
    key = hashlib.sha256(public_key()).hexdigest()[:16]
    signatures = [{"key": key, "signature": base64.b64encode(signature).decode()}]
    return json.dumps({"payload": text, "signatures": signatures}).encode()


def snapshot(name, version, entries, issued):
    """The messages of a list: topic and payload each, in the order in which they are published."""
    lines = [json.dumps(entry).encode() + b"\n" for entry in entries]
    pieces = [b"".join(lines[start : start + 1000]) for start in range(0, len(lines), 1000)]
    chunks = [run("zstd", "-q", "-19", "-c", given=piece) for piece in pieces]
    digests = [hashlib.sha256(chunk).digest() for chunk in chunks]
    manifest = {
        "list": name,
        "version": version,
        "issued": issued,
        "count": len(entries),
        "digest": hashlib.sha256(b"".join(digests)).hexdigest(),
        "chunks": [digest.hex() for digest in digests],
    }
    root = f"milepost/v1/lists/{name}"
    messages = [(f"{root}/chunks/{version}/{index}", chunk) for index, chunk in enumerate(chunks)]
    return messages + [(f"{root}/manifest", sign("hotlist manifest", manifest))]


def now(ahead_s=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead_s))


def keys():
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", PRIVATE)
    (FOLDER / "key").write_bytes(base64.b64encode(public_key()))


def write_list():
    keys()
    entries = [
        {"plate": f"P{number:05}", "category": "stolen", "reason": "Überfall, déjà vu", "until": "2030-01-01T01:00:00+02:00"}
        for number in range(2500)
    ]
    entries[7]["state"] = "nh"
    messages = snapshot("state-stolen", VERSION, entries, "2026-06-01T06:00:00.5Z")
    delta = {
        "list": "state-stolen",
        "base": VERSION,
        "version": VERSION + 1,
        "issued": "2026-06-01T07:00:00Z",
        "count": 2500,
        "remove": [{"plate": "P00007", "state": "nh"}],
        "add": [{"plate": "NEW1", "category": "amber", "case": "26-114"}],
    }
    messages.append((f"milepost/v1/lists/state-stolen/deltas/{VERSION + 1}", sign("hotlist delta", delta)))
    for number, (topic, payload) in enumerate(messages):
        (FOLDER / str(number)).write_bytes(topic.encode() + b"\n" + payload)


def mqtt(program, role, *arguments):
    _, _, _, host, port, *_ = sys.argv
    certificate = ("--cafile", FOLDER / "authority.pem", "--cert", FOLDER / f"client-{role}.pem", "--key", FOLDER / f"client-{role}.key")
    return [program, "-h", host, "-p", port, "-q", "1", "--tls-version", "tlsv1.3", *map(str, certificate), *arguments]


def publish(role, topic, payload, *more):
    (FOLDER / "payload").write_bytes(payload)
    run(*mqtt("mosquitto_pub", role, "-t", topic, "-f", str(FOLDER / "payload"), *more))


class Subscription:
    def __init__(self, role, *topics):
        filters = [argument for topic in topics for argument in ("-t", topic)]
        command = mqtt("mosquitto_sub", role, "-i", f"stranger-{role}", "-c", "-F", "%t %x", *filters)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def until(self, what, wanted):
        """The first message that is wanted, once there is one."""
        for line in self.process.stdout:
            topic, _, payload = line.strip().partition(" ")
            found = wanted(topic, bytes.fromhex(payload))
            if found:
                return found
        sys.exit(f"the connection ended before {what}")


def events(payload):
    """The events of a message, one or a batch, each with the very text of its `data`."""
    text, decoder = payload.decode(), json.JSONDecoder()
    found, at = [], 0
    while at < len(text):
        if text[at] in "[], \n\t\r":
            at += 1
            continue
        event, end = decoder.raw_decode(text, at)
        found.append((event, data_of(text[at:end], decoder)))
        at = end
    return found


def data_of(text, decoder):
    at = text.index("{") + 1
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" ,\n\t\r"))
        name, at = decoder.raw_decode(text, at)
        at = text.index(":", at) + 1
        at += len(text[at:]) - len(text[at:].lstrip())
        _, end = decoder.raw_decode(text, at)
        if name == "data":
            return text[at:end]
        at = end


def work():
    unit, plate = sys.argv[5:]
    root = f"milepost/v1/units/{unit}"
    department = Subscription("receiver", f"{root}/alerts", f"{root}/events", f"{root}/health")
    for topic, payload in snapshot("strangers", 1, [{"plate": plate, "category": "stolen"}], now()):
        publish("publisher", topic, payload, "-r")

    def our_alert(topic, payload):
        if topic == f"{root}/alerts":
            for event, data in events(payload):
                if event["data"]["matched"]["list"]["list"] == "strangers":
                    return event, data

    alert, data = department.until("an alert", our_alert)
    assert alert["data"]["matched"]["entry"]["plate"] == plate and len(json.dumps(alert)) < 2048, alert
    print("alert", alert["data"]["id"])

    digest = hashlib.sha256(data.encode()).hexdigest()
    receipt = {"unit": unit, "records": [{"id": alert["id"], "sha256": digest}], "at": now()}
    publish("receiver", f"{root}/receipts", sign("receipt", receipt))

    def purged(topic, payload):
        return topic == f"{root}/events" and any(
            record["id"] == alert["id"] and record["sha256"] == digest
            for event, _ in events(payload)
            if event["type"] == "milepost.purge-certificate.v1"
            for record in event["data"]["records"]
        )

    department.until("the alert was purged", purged)
    print("purged", alert["id"])

    dispatcher = Subscription("dispatcher", f"{root}/command-results")
    command = {
        "unit": unit,
        "nonce": str(uuid.uuid4()),
        "issued": now(),
        "expires": now(600),
        "reason": "the window is broken",
        "act": {"take-out": {}},
    }
    # The answer is published once, so be there before.
    time.sleep(1)
    publish("dispatcher", f"{root}/commands", sign("command", command))
    result = dispatcher.until("the answer", lambda _, payload: json.loads(payload))
    assert (result["nonce"], result["outcome"]) == (command["nonce"], "done"), result
    department.until(
        "the unit was out of service",
        lambda topic, payload: topic == f"{root}/health" and json.loads(payload)["service"]["state"] == "out-of-service",
    )
    print(result["said"])
    department.process.kill()
    dispatcher.process.kill()


{"keys": keys, "list": write_list, "work": work}[VERB]()
