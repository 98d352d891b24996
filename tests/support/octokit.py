"""The signer of GitHub's own libraries for JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess

from support.chromium import unpacked

PACKAGE = "@octokit/webhooks-methods@6.0.0"
SHA512 = "MFlzzoDJVw/GcbfzVC1RLR36QqkTLUf79vLVO3D+xn7r0QgxnFoLZgtrzxiQErAjFUOdH6fas2KeQJ1yr/qaXQ=="


def octokit_signature(secret, payload):
    """Sign a payload; FileNotFoundError without Node."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("Node is not installed")
    folder = unpacked(PACKAGE, SHA512)
    entry = json.loads((folder / "package.json").read_text())["exports"]["."]["node"]["import"]
    code = f"import {{ sign }} from {json.dumps(str(folder / entry))};"
    code += f"console.log(await sign({json.dumps(secret)}, {json.dumps(payload)}));"
    command = [node, "--input-type=module", "-e", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()
