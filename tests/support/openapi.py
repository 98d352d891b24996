"""GitHub's OpenAPI description, fetched once into a cache outside the repository, as validators."""

from __future__ import annotations

import json
import tarfile

import jsonschema_rs

from support import supply

PACKAGE = "@octokit/openapi@23.0.2"
SHA512 = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
MEMBER = "package/generated/api.github.com.json"


def description():
    """Give the description, or skip the test with the reason; under CI a missing one fails."""
    return json.loads(supply.obtained(fetched).read_bytes())


def fetched():
    """Fetch the package with npm, and keep its one interesting file."""

    def fetch(folder):
        with tarfile.open(supply.npm_pack(PACKAGE, SHA512, folder)) as archive:
            archive.extract(MEMBER, folder, filter="data")
        return folder / MEMBER

    return supply.cached("github-openapi-23.0.2.json", fetch)


class Contract:
    """Validators of the responses of single operations."""

    # What GitHub answers everywhere, although not every operation lists it.
    EVERYWHERE = dict.fromkeys((400, 401, 403, 404, 409, 410), "basic-error") | {
        422: "validation-error"
    }

    def __init__(self, document):
        self._document = document
        self._validators = {}

    def check(self, method, template, answer):
        """Raise ``jsonschema_rs.ValidationError`` if a response is not as described."""
        key = (method, template, answer.status)
        if key not in self._validators:
            self._validators[key] = self._validator(*key)
        validator = self._validators[key]
        if validator is None:
            assert answer.body == b"", f"{key} has no body in the description"
        else:
            validator.validate(answer.json)

    def check_webhook(self, event, action, payload):
        """Raise ``jsonschema_rs.ValidationError`` if a payload is not as described."""
        name = event if action is None else f"{event}-{action}"
        found = self._document["x-webhooks"][name.replace("_", "-")]
        content = found["post"]["requestBody"]["content"]["application/json"]
        self._compiled(content["schema"]).validate(payload)

    def _validator(self, method, template, status):
        responses = self._document["paths"][template][method.lower()]["responses"]
        response = responses.get(str(status))
        if response is None:
            schema = {"$ref": f"#/components/schemas/{self.EVERYWHERE[status]}"}
        else:
            content = self._resolve(response).get("content")
            if content is None:
                return None
            schema = content["application/json"]["schema"]
            if status >= 400 and "oneOf" in schema:
                # Error schemas require nothing, so a body always matches more than one.
                schema = {"anyOf": schema["oneOf"]}
        return self._compiled(schema)

    def _compiled(self, schema):
        defs = {}
        converted = self._convert(schema, defs)
        return jsonschema_rs.Draft202012Validator(
            {"allOf": [converted], "$defs": defs}, validate_formats=True
        )

    def _resolve(self, node):
        if "$ref" not in node:
            return node
        found = self._document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return found

    def _convert(self, node, defs):
        # OpenAPI 3.0 says `nullable` where JSON Schema has a list of types.
        if isinstance(node, list):
            return [self._convert(item, defs) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name not in defs:
                defs[name] = True
                defs[name] = self._convert(self._resolve(node), defs)
            return {"$ref": f"#/$defs/{name}"}
        converted = {key: self._convert(value, defs) for key, value in node.items()}
        return nullable(converted) if node.get("nullable") is True else converted


def nullable(schema):
    """Let a schema take null as well; a list of types would not do where there is an enum."""
    return {"anyOf": [schema, {"type": "null"}]}
