"""What CloudFormation makes of a template's conditions and references, for given parameters."""

from __future__ import annotations

import re

GONE = object()  # what AWS::NoValue leaves


class Resolver:
    """Resolves a translated template as far as conditions go: what is a resource's own stays as it is.

    Args:
        template: The translated template.
        parameters: Values that differ from the defaults.
    """

    def __init__(self, template, **parameters):
        self._template = template
        defaults = {n: p.get("Default") for n, p in template["Parameters"].items()}
        assert set(parameters) <= set(defaults)
        self._values = defaults | parameters

    @property
    def resources(self):
        """The resources there are: {logical id: resource}."""
        return {
            name: self.value(resource)
            for name, resource in self._template["Resources"].items()
            if self._holds(resource)
        }

    @property
    def outputs(self):
        """The names of the outputs there are."""
        return {name for name, output in self._template["Outputs"].items() if self._holds(output)}

    @property
    def refusals(self):
        """What the template's rules say against the parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self._template["Rules"].values()
            if self._true(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._true(assertion["Assert"])
        ]

    def value(self, node):  # noqa: PLR0911 - one for each form
        """Resolve one part of the template."""
        match node:
            case [*items]:
                return [made for item in items if (made := self.value(item)) is not GONE]
            case {"Ref": "AWS::NoValue"}:
                return GONE
            case {"Ref": name} if name in self._values:
                return self._values[name]
            case {"Fn::If": [condition, then, otherwise]}:
                holds = self._true({"Condition": condition})
                return self.value(then if holds else otherwise)
            case {"Fn::Sub": str(text)}:
                known = "|".join(map(re.escape, self._values))
                return re.sub(rf"\$\{{({known})\}}", lambda m: str(self._values[m[1]]), text)
            case dict():
                made = {name: self.value(item) for name, item in node.items()}
                return {name: item for name, item in made.items() if item is not GONE}
        return node

    def _holds(self, node):
        return "Condition" not in node or self._true({"Condition": node["Condition"]})

    def _true(self, node):
        match node:
            case {"Condition": name}:
                return self._true(self._template["Conditions"][name])
            case {"Fn::Not": [inner]}:
                return not self._true(inner)
            case {"Fn::Or": inner}:
                return any(map(self._true, inner))
            case {"Fn::And": inner}:
                return all(map(self._true, inner))
            case {"Fn::Equals": [one, other]}:
                return self.value(one) == self.value(other)
        raise AssertionError(f"unknown condition: {node}")
