"""Files of JSON and YAML, read without surprises.

This module owns their reading. It must not judge what they say, but for keys that are there twice.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, cast

import yaml

from archal_lambda.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load"]


def load(path: Path) -> object:
    """Read a file; what is wrong with it is said of the argument `seeds`."""
    if path.suffix.lower() not in {".json", ".yaml", ".yml"}:
        raise _wrong(path, "its name must end in .json, .yaml or .yml")
    text = _text(path)
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_unique)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        reason = f"line {line}: {error.problem}"
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}: {error.msg}"
    except RecursionError:
        reason = "it is nested too deep"
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).partition("\n")[0]
    except (AttributeError, LookupError, TypeError):  # PyYAML's, which builds collections late
        reason = "a value is not what its tag says"
    raise _wrong(path, reason)


def _text(path: Path) -> str:
    try:
        # Reading a pipe would wait for whoever writes to it.
        if path.exists() and not path.is_file():
            raise _wrong(path, "it is not a file")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _wrong(path, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _wrong(path, "it is not UTF-8") from None


class _Loader(yaml.SafeLoader):
    """One that says where something is wrong; of two equal keys the last one would win, without a word."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - as PyYAML has it
        try:
            return cast("object", super().construct_object(node, deep))  # pyright: ignore[reportUnknownMemberType] - types-PyYAML has no types for it
        except (AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"the value is not what its tag says, {tag}", node.start_mark
            ) from None

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML calls it so
    ) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!a} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!a} is there twice")
        found[key] = value
    return found


def _wrong(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError("seeds", f"names the file {path}: {reason}")
