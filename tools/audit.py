"""Known vulnerabilities of what is deployed: ``make audit`` asks pip-audit about each line of requirements.lock.

Fails when it finds one. Where the advisories cannot be reached it says that nothing was checked, and does not fail:
pip-audit itself calls that "No known vulnerabilities found" where a mirror knows no advisories.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tools.package import LOCK, ROOT

Json = dict[str, Any]


def ask(options: Sequence[str]) -> Json | None:
    """pip-audit's report; None where it came to none."""
    lock = ["--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    command = [sys.executable, "-m", "pip_audit", *lock, "--format=json", "--progress-spinner=off", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        report: Json = json.loads(done.stdout)
    except json.JSONDecodeError:
        print(*done.stderr.splitlines()[-1:], file=sys.stderr)
        return None
    return report


def verdict(report: Json | None) -> tuple[str, int]:
    """What to say of a report, and the exit code: 1 where something was found."""
    packages = report["dependencies"] if report else []
    found = [line for package in packages for line in _vulnerabilities(package)]
    if found:
        return "\n".join(found), 1
    unchecked = [package["name"] for package in packages if "skip_reason" in package]
    if len(unchecked) == len(packages):
        return "The advisories cannot be reached from here: nothing was checked.", 0
    said = f"{len(packages) - len(unchecked)} packages checked, no known vulnerability"
    return f"{said}; not checked: {', '.join(unchecked)}" if unchecked else said, 0


def _vulnerabilities(package: Json) -> Iterator[str]:
    for known in package.get("vulns", ()):
        repaired = ", ".join(known["fix_versions"]) or "no version yet"
        names = ", ".join((known["id"], *known.get("aliases", ())))
        yield f"{package['name']} {package['version']}: {names}; repaired in {repaired}"


def main() -> None:
    """The command line: options are passed on to pip-audit."""
    said, code = verdict(ask(sys.argv[1:]))
    print(said)
    sys.exit(code)


if __name__ == "__main__":
    main()
