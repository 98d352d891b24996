"""Lint SAM templates as CloudFormation will see them: `python translate.py TEMPLATE…`.

The linter inside `sam validate --lint` looks at the template before the transform and so misses what the transform
makes of it: a queue that shows a message again before the function is done, a timeout of 1500 s. This runs in SAM's
own environment, whose translator is the one SAM uses, and prints one JSON object for each template.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cfnlint.api import lint
from samcli.yamlhelper import yaml_parse
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform


def examine(text):
    """Give the translated template and what is wrong with it, each finding with its rule's id in front."""
    template = yaml_parse(text)
    # Where `sam deploy` would have put the code; the translator knows no local folder.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    try:
        # Without a client: the policies of AWS whose ARNs the loader could look up come with the translator.
        translated = transform(template, {}, ManagedPolicyLoader(None))
    except InvalidDocumentException as error:
        return {"template": None, "findings": [f"transform: {error.message}"]}
    matches = lint(json.dumps(translated), regions=["eu-west-1"])
    findings = [
        f"{match.rule.id}: {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in matches
    ]
    return {"template": translated, "findings": findings}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(examine(Path(name).read_text(encoding="utf-8"))))  # noqa: T201 - its answer
