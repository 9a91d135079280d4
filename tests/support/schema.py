"""Judges a message on standard input by a schema of an AsyncAPI document: schema.py DOCUMENT NAME

Stricter than the document, which lets later versions add fields: what is not described is a mistake here.
"""

import json
import sys
import warnings

import yaml

# Newer versions of the library prefer another resolver, which Debian 12's does not have.
warnings.simplefilter("ignore", DeprecationWarning)
from jsonschema import Draft7Validator, RefResolver  # noqa: E402


def closed(schema):
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and "type" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


document, name = sys.argv[1:]
with open(document) as file:
    document = closed(yaml.safe_load(file))
schema = {"$ref": f"#/components/schemas/{name}"}
validator = Draft7Validator(schema, resolver=RefResolver("", document))
mistakes = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.load(sys.stdin))]
if mistakes:
    sys.exit("\n".join(mistakes))
