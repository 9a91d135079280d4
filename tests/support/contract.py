"""Messages held against config/asyncapi.yaml, more strictly than it asks.

The document lets later versions add fields to what units send. Here, what is not described is a mistake.
"""

import json
import pathlib
import re
import subprocess
import warnings

import yaml

# Newer versions of the library prefer another resolver, which Debian 12's does not have.
warnings.simplefilter("ignore", DeprecationWarning)
from jsonschema import Draft7Validator, RefResolver  # noqa: E402

DOCUMENT = pathlib.Path(__file__).parents[2] / "config" / "asyncapi.yaml"


def closed(schema):
    """The same schema, letting nothing in that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and "type" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


class Contract:
    def __init__(self, path=DOCUMENT, strict=True):
        self.document = yaml.safe_load(path.read_text())
        tightened = closed if strict else lambda schema: schema
        base = path.parent.as_uri() + "/"
        store = {
            file.as_uri(): tightened(json.loads(file.read_text())) for file in path.parent.glob("schemas/*.json")
        }
        self.resolver = RefResolver(base, {}, store=store)
        self.validators = {}
        self.channels = []
        for name, channel in self.document["channels"].items():
            address = re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(channel["address"]))
            messages = [self.followed(message) for message in channel["messages"].values()]
            self.channels.append((re.compile(address), name, messages))

    def followed(self, reference):
        """What a reference within the document leads to."""
        place = self.document
        for step in reference["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        return place

    def mistakes(self, schema, value):
        key = json.dumps(schema)
        if key not in self.validators:
            self.validators[key] = Draft7Validator(schema, resolver=self.resolver)
        found = sorted(self.validators[key].iter_errors(value), key=lambda error: len(error.path))
        return [told for error in found for told in tell(error)]

    def messages(self, topic):
        for address, _, messages in self.channels:
            if address.fullmatch(topic):
                return messages
        return None

    def judge(self, topic, payload):
        """Everything that is wrong with a message."""
        messages = self.messages(topic)
        if messages is None:
            return ["no channel has this topic"]
        # What is retained is cleared by an empty message.
        if not payload:
            return []
        # Of several messages that a channel may have, the one that this one's type names.
        named = [message for message in messages if f"'const': '{type_of(payload)}'" in str(message["payload"])]
        return min((self.judge_as(message, payload) for message in named or messages), key=len)

    def judge_as(self, message, payload):
        kind = message.get("contentType", self.document["defaultContentType"])
        if kind == "image/jpeg":
            return [] if payload.startswith(b"\xff\xd8") else ["it is no JPEG"]
        if kind == "application/octet-stream":
            return []
        if kind == "application/zstd":
            return self.judge_lines(message["x-line"], payload)
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            text, behind = payload[: error.start].decode(), payload[error.start :]
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except ValueError as error:
            return [f"it is no JSON: {error}"]
        behind = payload[len(text[:end].encode()) :]
        mistakes = self.mistakes(message["payload"], value)
        if mistakes:
            return mistakes
        if "x-signed-payload" in message:
            mistakes = self.judge_signed(message, value)
        if behind.strip() and "x-changes" in message:
            return mistakes + self.mistakes(message["x-changes"], json.loads(unpacked(behind[1:])))
        return mistakes + (["something stands behind it"] if behind.strip() else [])

    def judge_signed(self, message, envelope):
        try:
            payload = json.loads(envelope["payload"])
        except ValueError as error:
            return [f"payload: it is no JSON: {error}"]
        return [f"payload: {told}" for told in self.mistakes(message["x-signed-payload"], payload)]

    def judge_lines(self, schema, payload):
        lines = unpacked(payload).splitlines()
        # A list is long, and its lines are alike.
        return [told for line in lines[:: max(1, len(lines) // 50)] for told in self.mistakes(schema, json.loads(line))]


def type_of(payload):
    """The `type` of an event, or of a batch's first."""
    found = re.search(rb'"type":\s*"([a-z0-9.-]+)"', payload)
    return found[1].decode() if found else None


def tell(error):
    """A choice that nothing fits is told by what is wrong with the nearest of its ways."""
    if error.validator in ("oneOf", "anyOf") and error.context:
        ways = {}
        for inner in error.context:
            ways.setdefault(inner.schema_path[0], []).append(inner)
        return [told for inner in min(ways.values(), key=len) for told in tell(inner)]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return [f"{path.removeprefix('.') or 'the message'}: {error.message[:300]}"]


def unpacked(frame):
    return subprocess.run(["zstd", "-d", "-q", "-c"], input=frame, stdout=subprocess.PIPE, check=True).stdout
