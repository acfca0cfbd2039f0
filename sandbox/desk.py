"""The Desk of a site in a browser: its assets built with packages from npm, its web server, logins, and node scripts
that drive Chromium. Everything lands in the bench's folder.

A browser test needs these, in this order: need_programs, build_assets, add_users, served, browse.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import host
from bench import HERE, PROJECT, Bench
from report import Failed, run, step
from services import free_port

SOURCES = HERE / "desk"
BROWSER = SOURCES / "browser"
PINS = (SOURCES / "package.json", SOURCES / "package-lock.json")
OLDEST_NODE = 18
PUBLIC = PROJECT / "marketing_automation" / "public"

# The fewest roles that let every field of our forms be read: Stock User reads Customer, Company, Item, Item Group
# and Serial No, and needs no Sales User beside it.
MARKETER_ROLES = ("Marketing User", "Stock User")

SENDER = "shop@company.example"


def need_programs(bench: Bench, browser: bool = False) -> None:
	"""Install the programs that are missing; raises Failed where there can be no Desk, or no browser if one is wanted."""
	programs = {**host.DESK_PROGRAMS, **(host.BROWSER_PROGRAMS if browser else {})}
	host.need(programs, bench.logs / "apt-desk.log")
	version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
	if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
		raise Failed(f"The Desk needs Node.js {OLDEST_NODE} or newer; this machine's node is {version}.")


def build_assets(bench: Bench) -> None:
	"""Build the Desk's scripts and styles, unless they were built from the same sources and pins before."""
	packages = _packages(bench)
	wanted = hashlib.sha256(json.dumps(packages).encode()).hexdigest()
	if bench.stamp("npm", wanted):
		with step("Packages from npm"):
			shutil.rmtree(_node_folder(bench), ignore_errors=True)
			_node_folder(bench).mkdir()
			for name, content in packages.items():
				(_node_folder(bench) / name).write_text(content)
			pinned = "package-lock.json" in packages
			# Frappe's editor asks for other versions of its peers than Frappe does.
			command = ["npm", "ci" if pinned else "install", "--legacy-peer-deps", "--ignore-scripts"]
			run([*command, "--no-audit", "--no-fund"], bench.logs / "npm.log", cwd=_node_folder(bench))
		bench.stamped("npm", wanted)
	public = [path for path in PUBLIC.rglob("*") if path.is_file()]
	sources = wanted + _digest([HERE / "frappe_wheel.py", SOURCES / "build_assets.cjs", *public])
	if bench.stamp("assets", sources):
		with step("The Desk's assets"):
			command = [
				"node",
				SOURCES / "build_assets.cjs",
				bench.folder,
				_node_folder(bench) / "node_modules",
			]
			run(command, bench.logs / "assets.log", env=_node_environ(bench))
		bench.stamped("assets", sources)


def _packages(bench: Bench) -> dict[str, str]:
	"""Return the files that tell npm what to install: {name: content}.

	Ours with their lock, or what the given apps ask for in their own package.json, with our tools. A yarn.lock is
	read by npm too.
	"""
	ours = json.loads((SOURCES / "package.json").read_text())
	given = [bench.apps / app for app, source in bench.sources.items() if source]
	if not given:
		return {path.name: path.read_text() for path in PINS}
	dependencies = {} if bench.sources["frappe"] else dict(ours["dependencies"])
	for file in (app / "package.json" for app in given):
		if file.exists():
			dependencies |= json.loads(file.read_text()).get("dependencies", {})
	for name, version in ours["dependencies"].items():
		# The registry has what Frappe takes from a git address, and a registry is all that we ask for.
		if dependencies.get(name, "").startswith("git"):
			dependencies[name] = version
	packages = {"private": True, "dependencies": dependencies | ours["devDependencies"]}
	files = {"package.json": json.dumps(packages, indent=1)}
	lock = bench.apps / "frappe" / "yarn.lock"
	if lock.exists():
		files[lock.name] = lock.read_text()
	return files


def add_users(bench: Bench, site: str, password: str, logins: dict[str, tuple[str, ...]]) -> None:
	"""Create logins on a site. logins: {email: (language, role, ...)}."""
	bench.script("add_users.py", site, password, json.dumps(logins), log="add-users.log")


@contextlib.contextmanager
def served(bench: Bench, site: str, workers: int = 0) -> Iterator[str]:
	"""Serve a site for as long as the block runs; yields its address (http://127.0.0.1:port).

	workers: how many work on the bench's queues meanwhile. They serve all its sites, so take none where jobs that
	others have left in the queues would disturb.
	"""
	port = free_port()
	url = f"http://127.0.0.1:{port}"
	log = bench.logs / f"{site}-web.log"
	with log.open("w") as out:
		process = subprocess.Popen(
			[bench.python, HERE / "serve_site.py", site, str(port), str(workers)],
			cwd=bench.sites,
			env=bench.environ(),
			stdout=out,
			stderr=subprocess.STDOUT,
			stdin=subprocess.DEVNULL,
			# A Ctrl-C in the terminal is for us; we end the server.
			start_new_session=True,
		)
	try:
		with step(f"Web server for {site}"):
			_wait_for(url, process, log)
		yield url
	finally:
		process.terminate()
		try:
			process.wait(20)
		except subprocess.TimeoutExpired:
			os.killpg(process.pid, signal.SIGKILL)
			process.wait()


@contextlib.contextmanager
def mailbox(bench: Bench) -> Iterator[tuple[dict, Path]]:
	"""An SMTP server for as long as the block runs; yields the site configuration that sends to it, and the file in
	which each mail becomes a line of JSON."""
	file = bench.logs / "mails.jsonl"
	process = subprocess.Popen(
		[bench.python, "-m", "marketing_automation.tests.smtp_sink", file],
		stdout=subprocess.PIPE,
		stdin=subprocess.DEVNULL,
		env=bench.environ(),
		text=True,
		start_new_session=True,
	)
	try:
		port = process.stdout.readline()
		if not port:
			raise Failed("The mail server did not start.")
		yield {"mail_server": "127.0.0.1", "mail_port": int(port), "auto_email_id": SENDER}, file
	finally:
		process.terminate()
		process.wait(20)


def browse(bench: Bench, *command, **environ: str) -> subprocess.CompletedProcess:
	"""Run node with these arguments, the packages and Chromium at hand. Its output, both streams, is in `stdout`."""
	environ = {"CHROMIUM": host.which("chromium"), "DESK_LOGS": str(bench.logs), **environ}
	return subprocess.run(
		["node", *(str(part) for part in command)],
		env={**_node_environ(bench), **environ},
		stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT,
		text=True,
	)


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
	deadline = time.monotonic() + 60
	while True:
		if process.poll() is not None or time.monotonic() > deadline:
			raise Failed(f"The web server did not start. Its log is in {log}.")
		with contextlib.suppress(OSError):
			with urllib.request.urlopen(f"{url}/api/method/ping", timeout=30):
				return
		time.sleep(0.1)


def _node_folder(bench: Bench) -> Path:
	return bench.folder / "desk"


def _node_environ(bench: Bench) -> dict:
	# Our scripts are not beside their node_modules, which are no sources.
	return {**os.environ, "NODE_PATH": str(_node_folder(bench) / "node_modules")}


def _digest(files) -> str:
	digest = hashlib.sha256()
	for path in sorted(files):
		digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
	return digest.hexdigest()
