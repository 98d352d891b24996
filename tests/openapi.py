"""GitHub's OpenAPI description, fetched once into a cache outside the repository, as validators."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import jsonschema_rs
import pytest

PACKAGE = "@octokit/openapi@23.0.2"
SHA512 = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
MEMBER = "package/generated/api.github.com.json"


def description():
    """Give the description, or skip the test with the reason; under CI a missing one fails."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cached = home / "archal-lambda-tests" / "github-openapi-23.0.2.json"
    if not cached.exists():
        try:
            fetch(cached)
        except (OSError, subprocess.SubprocessError, tarfile.TarError, ValueError) as error:
            reason = f"GitHub's OpenAPI description is not to be had: {error}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
    return json.loads(cached.read_bytes())


def fetch(cached):
    """Fetch the package with npm, check it, and move its one interesting file into place."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder)
        (tarball,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise ValueError(f"{PACKAGE} is not the package it should be")
        with tarfile.open(tarball) as archive:
            member = archive.extractfile(MEMBER)
            if member is None:
                raise ValueError(f"{PACKAGE} has no {MEMBER}")
            partial = Path(folder) / "partial.json"
            with partial.open("wb") as out:
                shutil.copyfileobj(member, out)
        # Atomic, so that parallel test runs never read half a file.
        partial.replace(cached)


class Contract:
    """Validators of the answers of single operations."""

    # What GitHub answers everywhere, although not every operation lists it.
    EVERYWHERE = dict.fromkeys((400, 401, 403, 404, 409, 410), "basic-error") | {
        422: "validation-error"
    }

    def __init__(self, document):
        self._document = document
        self._validators = {}

    def check(self, method, template, answer):
        """Raise ``jsonschema_rs.ValidationError`` if an answer is not as described."""
        key = (method, template, answer.status)
        if key not in self._validators:
            self._validators[key] = self._validator(*key)
        validator = self._validators[key]
        if validator is None:
            assert answer.body == b"", f"{key} has no body in the description"
        else:
            validator.validate(answer.json)

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
