"""What the machine must have: Debian packages, and a Python that the bench can be built with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from report import Failed, run, step

# The *-core packages bring the programs without a service that would start by itself. redis-tools has the server
# too: redis-check-rdb is the same program under another name.
PROGRAMS = {
	"mariadbd": ("mariadb-server-core", "mariadb-server-core-10.6"),
	"mariadb-install-db": ("mariadb-server-core", "mariadb-server-core-10.6"),
	"mariadb": ("mariadb-client-core", "mariadb-client-core-10.6"),
	"mariadb-dump": ("mariadb-client", "mariadb-client-10.6"),
	"redis-check-rdb": ("redis-tools",),
	"git": ("git",),
}
DESK_PROGRAMS = {"node": ("nodejs",), "npm": ("npm",)}
BROWSER_PROGRAMS = {"chromium": ("chromium",)}

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def which(program: str) -> str | None:
	"""Return where a program is, looking also where Debian keeps servers."""
	return shutil.which(program, path=PATH)


def need(programs: dict, log: Path, pythons: tuple[str, ...] = ()) -> None:
	"""Install what is missing as root; otherwise say exactly what to install, all of it at once, and end.

	pythons: versions of Python, one of which must be there and able to make virtual environments.
	"""
	missing = [packages for program, packages in programs.items() if not which(program)]
	if pythons and (package := _python(pythons)[1]):
		missing.append((package,))
	if not missing:
		return
	names = sorted({packages[0] for packages in missing})
	if not which("apt-get"):
		raise Failed(
			f"These Debian packages are needed, and this machine has no apt-get: {', '.join(names)}."
		)
	if os.geteuid():
		raise Failed(
			f"Something is missing. Install it, then try again:\n\n    sudo apt-get install {' '.join(names)}\n"
		)
	with step("Debian packages"):
		run(["apt-get", "update"], log)
		names = sorted({_available(packages) for packages in missing})
		# --no-remove: nothing that is installed has to go for this.
		run(
			["apt-get", "install", "--yes", "--no-install-recommends", "--no-remove", *names],
			log,
			env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
		)
	if absent := [program for program in programs if not which(program)]:
		raise Failed(f"Still missing after the installation: {', '.join(absent)}. The log is in {log}.")


def _available(packages: tuple[str, ...]) -> str:
	for package in packages:
		found = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True).stdout
		if "Candidate:" in found and "Candidate: (none)" not in found:
			return package
	return packages[0]


def python(versions: tuple[str, ...]) -> str:
	"""Return a Python of one of these versions."""
	return _python(versions)[0]


def _python(versions: tuple[str, ...]) -> tuple[str, str | None]:
	"""Return a Python of one of these versions, and the package that it lacks for virtual environments, if any."""
	candidates = [which(f"python{version}") for version in versions] + [sys.executable, which("python3")]
	without_venv = None
	for candidate in filter(None, candidates):
		found = subprocess.run(
			[candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
			capture_output=True,
			text=True,
		).stdout.strip()
		if found not in versions:
			continue
		if not subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True).returncode:
			return candidate, None
		without_venv = without_venv or (candidate, f"python{found}-venv")
	if without_venv:
		return without_venv
	raise Failed(
		f"No Python that works was found. This needs Python {' or '.join(versions)}; "
		f"this machine's python3 is {sys.version.split()[0]}. Debian 12 has Python 3.11."
	)
