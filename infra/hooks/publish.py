"""With az: dist/package.zip to the function app, as it is. azd does the same by itself.

`az functionapp deployment source config-zip` would not: for Python on Flex Consumption it always has the package built once
more in Azure (az 2.91, whatever `--build-remote` says). So the same address is called here, with `RemoteBuild=false`.
Needs az (signed in), and the outputs of the deployment AZURE_RESOURCE_GROUP and FUNCTION_APP_NAME in the environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "dist" / "package.zip"
UNDER_WAY, DONE = (0, 1, 2), 4  # pending, building, deploying; the others are ways to fail
SCM = "(properties.hostNameSslStates || hostNameSslStates)[?hostType=='Repository'].name | [0]"


def az(*words: str) -> str:
    """What az answers. Its errors are its own to tell."""
    subscription = os.environ.get("AZURE_SUBSCRIPTION_ID")
    further = ["--subscription", subscription] if subscription else []
    command = [shutil.which("az") or "az", *words, "--output", "tsv", *further]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def call(url: str, token: str, package: bytes | None = None) -> bytes:
    """A POST with a package, else a GET. Raises HTTPError and other OSErrors."""
    request = urllib.request.Request(url, package)  # noqa: S310
    request.add_unredirected_header("Authorization", f"Bearer {token}")
    if package is not None:
        request.add_header("Content-Type", "application/zip")
    with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
        return bytes(response.read())


def publish(site: str, token: str, package: bytes, pause: float = 2.0, tries: int = 450) -> None:
    """Upload, and wait for the end. Raises SystemExit with what Azure said."""
    try:
        deployment = json.loads(call(f"{site}/api/publish?RemoteBuild=false", token, package))
    except urllib.error.HTTPError as error:
        sys.exit(f"The package was refused with {error.code}: {error.read(2000).decode(errors='replace')}")
    seen = False
    for _ in range(tries):
        time.sleep(pause)
        try:
            told = json.loads(call(f"{site}/api/deployments/{deployment}", token))
        except urllib.error.HTTPError as error:
            if error.code == 404 and seen:  # who knew of it goes when it is done; azd takes it so, too
                return
            continue
        except (OSError, ValueError):
            continue
        seen = True
        if told["status"] == DONE:
            return
        if told["status"] not in UNDER_WAY:
            sys.exit(f"The deployment failed with status {told['status']}: {told.get('status_text', '')}")
    sys.exit("The deployment does not end; its state is in the portal, Deployment Center.")


def main() -> None:
    """The command line."""
    try:
        place = [
            "--resource-group",
            os.environ["AZURE_RESOURCE_GROUP"],
            "--name",
            os.environ["FUNCTION_APP_NAME"],
        ]
        package = PACKAGE.read_bytes()
    except KeyError as error:
        sys.exit(f"{error.args[0]}: is not set")
    except FileNotFoundError:
        sys.exit("There is no dist/package.zip: make package")
    host = az("functionapp", "show", *place, "--query", SCM)
    publish(f"https://{host}", az("account", "get-access-token", "--query", "accessToken"), package)
    sys.stdout.write("The package is deployed.\n")


if __name__ == "__main__":
    main()
