"""Outputs of a deployment, as `az deployment sub show --query properties.outputs` prints them, as exports for a shell.

Azure may give names back in another case than they were declared in (azurE_RESOURCE_GROUP): they are all upper-case.
"""

import json
import shlex
import sys

for name, output in json.load(sys.stdin).items():
    value = output["value"]
    words = value if isinstance(value, list) else [value]
    sys.stdout.write(f"export {name.upper()}={shlex.quote(' '.join(map(str, words)))}\n")
