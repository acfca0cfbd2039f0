"""The sandbox's commands; see the Makefile. Needs nothing but Python's own library."""

import argparse
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import desk
import host
from bench import HERE, PROJECT, Bench
from report import Failed, fail, step
from services import MariaDB, Redis, end_marked
from sites import ADMIN_PASSWORD, Sites, today

FOLDER = PROJECT / ".sandbox"
TEST_SITE = "test.localhost"
DEMO_SITE = "demo.localhost"
FAULTS_SITE = "faults.localhost"
BENCHMARK_SITE = "benchmark.localhost"
# What all processes of a test run have in their environment.
MARK = "MARKETING_AUTOMATION_TESTS"
MARKETER = "marketer@example.com"
SPANISH_MARKETER = "mercadotecnia@example.com"
# For sites that are thrown away and can be reached from this machine only.
MARKETER_PASSWORD = "marketer"


class Sandbox:
	"""The services and the bench that a command works with."""

	def __init__(self, shape: str | None = None):
		"""shape: the version of ERPNext that the stand-in looks like; that of the command without it."""
		sources = os.environ.get("FRAPPE") or None, os.environ.get("ERPNEXT") or None
		self.bench = Bench(FOLDER, *sources, shape or os.environ.get("SHAPE") or "16")
		# A Redis for each bench: another version of Frappe cannot read what this one keeps there.
		self.services = {
			"mariadb": MariaDB(FOLDER / "mariadb"),
			"redis": Redis(self.bench.folder / "redis"),
		}
		self.sites = Sites(self.bench, self.services["mariadb"])

	def start(self, programs: dict | None = None) -> None:
		"""Build what is missing and start the services. programs: what the machine must have besides."""
		programs, log = host.PROGRAMS | (programs or {}), FOLDER / "logs" / "apt.log"
		if not self.bench.sources["frappe"]:
			# All that is missing is said at once.
			host.need(programs, log, self.bench.pythons())
		else:
			host.need(programs, log)
			self.bench.obtain()
			host.need({}, log, self.bench.pythons())
		for service in self.services.values():
			service.start()
		self.bench.build(self.services)

	@contextlib.contextmanager
	def up(self, programs: dict | None = None):
		"""The services for as long as the block runs. What was running before stays up."""
		running = {name for name, service in self.services.items() if service.running()}
		try:
			self.start(programs)
			yield
		finally:
			for name, service in self.services.items():
				if name not in running:
					service.stop()


def up(sandbox: Sandbox, _arguments) -> int:
	"""Start the services, with a new site for tests, and leave them running."""
	sandbox.start()
	sandbox.sites.fresh(TEST_SITE)
	print(f"\nRunning. Site: {TEST_SITE}. Bench: {sandbox.bench.folder}. Stop with: make down")
	return 0


def down(sandbox: Sandbox, _arguments) -> int:
	"""Stop the services, those of the other benches too."""
	redis = [
		Redis(folder)
		for pattern in ("*/redis", "*/workers/*/redis", "*/other-shape/redis")
		for folder in FOLDER.glob(pattern)
	]
	for service in (*sandbox.services.values(), *redis):
		service.stop()
	return 0


def clean(sandbox: Sandbox, _arguments) -> int:
	"""Stop the services and remove all that the sandbox made."""
	down(sandbox, None)
	shutil.rmtree(FOLDER, ignore_errors=True)
	return 0


def test(sandbox: Sandbox, arguments) -> int:
	"""Run the tests with pytest: all of them side by side; those chosen by arguments of pytest's in one process, in
	which a debugger works."""
	with sandbox.up():
		if arguments.rest:
			sandbox.sites.fresh(TEST_SITE)
			return pytest(sandbox, sandbox.bench.sites, *arguments.rest)
		# Some tests mostly wait, for workers and for a browser.
		names = [f"gw{number}" for number in range(os.cpu_count() + 1)]
		with test_sites(sandbox, names) as folder:
			# What a class or a module has set up is used by one worker; conftest.py has the long ones first.
			return pytest(sandbox, folder, "-n", len(names), "--dist", "loadscope", "--no-loadscope-reorder")


def pytest(sandbox: Sandbox, sites, *arguments) -> int:
	"""Run pytest on the test site in a sites folder; return its exit code.

	Whatever the tests have started ends with them, also when they are stopped half way.
	"""
	mark = str(time.time_ns())
	environ = sandbox.bench.environ(**{MARK: mark}, FRAPPE_SITE=TEST_SITE, FRAPPE_SITES_PATH=str(sites))
	command = [sandbox.bench.python, "-m", "pytest", *arguments]
	print(flush=True)
	process = subprocess.Popen([str(part) for part in command], cwd=PROJECT, env=environ)
	try:
		return process.wait()
	finally:
		end_marked(MARK, mark)
		process.wait()


@contextlib.contextmanager
def test_sites(sandbox: Sandbox, names: list[str]):
	"""A test site, in a bench and with a Redis of its own, for each of pytest's workers, for as long as the block runs.

	Yields where their sites folders are: a path with {worker} in the place of a worker's name.
	"""
	folder = sandbox.bench.folder / "workers"
	redis = {name: Redis(folder / name / "redis") for name in names}

	def make(name: str) -> None:
		redis[name].start()
		bench = sandbox.bench.twin(folder / name, {**sandbox.services, "redis": redis[name]})
		Sites(bench, sandbox.services["mariadb"], redis[name]).fresh(TEST_SITE)

	sandbox.sites.prepare()
	try:
		with (
			step(f"{len(names)} sites to test on"),
			contextlib.redirect_stdout(io.StringIO()),
			ThreadPoolExecutor() as pool,
		):
			list(pool.map(make, names))
		yield folder / "{worker}" / "sites"
	finally:
		for service in redis.values():
			service.stop()


def next_wednesday() -> date:
	"""Return the next Wednesday, or today if it is one: the night before a day on which the shop writes."""
	wednesday = 2
	return today() + timedelta(days=(wednesday - today().weekday()) % 7)


def demo(sandbox: Sandbox, _arguments) -> int:
	"""Play a night and the morning after it on demonstration data: those of the next Wednesday, whatever day it is."""
	with sandbox.up():
		day = next_wednesday()
		sandbox.sites.fresh(DEMO_SITE, demonstration=day)
		return sandbox.bench.script("demo.py", DEMO_SITE, day)


def faults(sandbox: Sandbox, arguments) -> int:
	"""Break it while it works, on services of its own, and count; --short for the version that `make test` has."""
	folder = FOLDER / "faults"
	services = {"mariadb": MariaDB(folder / "mariadb"), "redis": Redis(folder / "redis")}
	with sandbox.up():
		try:
			for service in services.values():
				service.start()
			bench = sandbox.bench.twin(folder, services)
			Sites(bench, services["mariadb"], services["redis"]).fresh(FAULTS_SITE)
			return bench.script("faults.py", FAULTS_SITE, folder, *arguments.rest)
		finally:
			for service in services.values():
				service.stop()


@contextlib.contextmanager
def demo_desk(sandbox: Sandbox, night: bool, browser: bool = False):
	"""The Desk on demonstration data, with a marketer's login; yields its address and where its mails are written.

	night: whether the shop has lived through one already.
	"""
	bench = sandbox.bench
	desk.need_programs(bench, browser)
	desk.build_assets(bench)
	sandbox.sites.fresh(DEMO_SITE, demonstration=today())
	bench.script("open_all_hours.py", DEMO_SITE, log="open-all-hours.log")
	if night:
		with step("A night"):
			bench.script("night.py", DEMO_SITE, log="night.log")
	marketers = {MARKETER: ("en", *desk.MARKETER_ROLES), SPANISH_MARKETER: ("es", *desk.MARKETER_ROLES)}
	desk.add_users(bench, DEMO_SITE, MARKETER_PASSWORD, marketers)
	with desk.mailbox(bench) as (mail, file):
		sandbox.sites.configure(DEMO_SITE, **mail)
		with desk.served(bench, DEMO_SITE, workers=1) as url:
			yield url, file


def open_desk(sandbox: Sandbox, _arguments) -> int:
	"""Serve the Desk with the demonstration data until Ctrl-C."""
	with sandbox.up(host.DESK_PROGRAMS), demo_desk(sandbox, night=True) as (url, mails):
		print(
			f"\nThe Desk: {url}/app\n"
			f"  a marketer ({', '.join(desk.MARKETER_ROLES)}): {MARKETER}, password {MARKETER_PASSWORD}\n"
			f"  the administrator: Administrator, password {ADMIN_PASSWORD}\n"
			"Jobs are worked off and no scheduler runs. No mail leaves this machine:\n"
			f"what is sent is written to {mails}. Ctrl-C ends it.",
			flush=True,
		)
		with contextlib.suppress(KeyboardInterrupt):
			signal.pause()
	return 0


def screenshots(sandbox: Sandbox, _arguments) -> int:
	"""Take the documentation's pictures of the Desk, in each language on a site that nothing has happened to yet."""
	images = PROJECT / "docs" / "images"
	with sandbox.up(host.DESK_PROGRAMS | host.BROWSER_PROGRAMS):
		for user, folder in ((MARKETER, images), (SPANISH_MARKETER, images / "es")):
			with demo_desk(sandbox, night=False, browser=True) as (url, _mails):
				done = desk.browse(
					sandbox.bench,
					desk.BROWSER / "screenshots.cjs",
					folder,
					DESK_URL=url,
					DESK_USER=user,
					PASSWORD=MARKETER_PASSWORD,
				)
			print(done.stdout, end="")
			if done.returncode or sandbox.bench.script("shrink_pictures.py", folder):
				return 1
	return 0


def mail_pictures(sandbox: Sandbox, _arguments) -> int:
	"""Take the documentation's pictures of mails: light and dark, on a desk and on a phone."""
	images, bench = PROJECT / "docs" / "images", sandbox.bench
	with sandbox.up(host.DESK_PROGRAMS | host.BROWSER_PROGRAMS), tempfile.TemporaryDirectory() as mails:
		desk.need_programs(bench, browser=True)
		# With the stylesheet that every mail gets on a real site.
		desk.build_assets(bench)
		sandbox.sites.fresh(TEST_SITE)
		if bench.script("mail_pictures.py", TEST_SITE, mails):
			return 1
		assets = PROJECT / "marketing_automation" / "public"
		for language, folder in (("en", images), ("es", images / "es")):
			taken = Path(mails) / language
			done = desk.browse(bench, desk.BROWSER / "mails.cjs", taken, MAILS=mails, ASSETS=str(assets))
			print(done.stdout, end="")
			if done.returncode or bench.script("shrink_pictures.py", taken):
				return 1
			for picture in taken.glob("*.png"):
				shutil.copy(picture, folder)
	return 0


def gallery(sandbox: Sandbox, _arguments) -> int:
	"""Take the pictures of the gallery's designs: on a computer and on a phone, in light and in dark."""
	images, mails = PROJECT / "docs" / "images" / "gallery", sandbox.bench.folder / "gallery"
	with sandbox.up(host.DESK_PROGRAMS | host.BROWSER_PROGRAMS):
		desk.need_programs(sandbox.bench, browser=True)
		desk.build_assets(sandbox.bench)
		sandbox.sites.fresh(TEST_SITE)
		shutil.rmtree(mails, ignore_errors=True)
		if sandbox.bench.script("gallery_mails.py", TEST_SITE, mails):
			return 1
		done = desk.browse(sandbox.bench, desk.BROWSER / "gallery.cjs", mails, mails)
		print(done.stdout, end="")
		return done.returncode or sandbox.bench.script("gallery_pictures.py", mails, images)


def benchmark(sandbox: Sandbox, arguments) -> int:
	"""Measure, here or on the site of a real bench, beside what users have today."""
	out, plot = PROJECT / "benchmark.json", PROJECT / "docs" / "images" / "growth.svg"
	plot.parent.mkdir(exist_ok=True)
	if os.environ.get("BENCH"):
		bench = Path(os.environ["BENCH"]).expanduser().resolve()
		command = [
			bench / "env/bin/python",
			HERE / "benchmark.py",
			os.environ["SITE"],
			out,
			plot,
			*arguments.rest,
		]
		return subprocess.run([str(part) for part in command], cwd=bench / "sites").returncode
	# Only with the stylesheet that every mail gets on a real site are mails what they are there.
	with sandbox.up(host.DESK_PROGRAMS):
		desk.need_programs(sandbox.bench)
		desk.build_assets(sandbox.bench)
		sandbox.sites.fresh(BENCHMARK_SITE)
		return sandbox.bench.script("benchmark.py", BENCHMARK_SITE, out, plot, *arguments.rest)


def test_bench(_sandbox, arguments) -> int:
	"""Run the tests of the installed app on a real bench."""
	bench, site = Path(arguments.rest[0]).expanduser().resolve(), arguments.rest[1]
	if not (bench / "sites" / site / "site_config.json").exists():
		raise Failed(f"{bench} has no site {site}.")
	test_arguments = ["--site", site, "run-tests", "--app", "marketing_automation"]
	command, folder = ["bench", *test_arguments], bench
	if not shutil.which("bench"):
		command = [bench / "env/bin/python", "-m", "frappe.utils.bench_helper", "frappe", *test_arguments]
		folder = bench / "sites"
	# Without CI older versions end with 0 although tests have failed.
	environ = {**os.environ, "CI": "1"}
	return subprocess.run([str(part) for part in command], cwd=folder, env=environ).returncode


COMMANDS = {
	"up": up,
	"down": down,
	"clean": clean,
	"test": test,
	"demo": demo,
	"faults": faults,
	"desk": open_desk,
	"screenshots": screenshots,
	"mail-pictures": mail_pictures,
	"gallery": gallery,
	"benchmark": benchmark,
	"test-bench": test_bench,
}


def main() -> int:
	"""Run one command; its exit code is ours."""
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("command", choices=COMMANDS)
	parser.add_argument("rest", nargs=argparse.REMAINDER)
	arguments = parser.parse_args()
	# Ended from outside we still stop what we started.
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
	began = time.monotonic()
	print(f"sandbox {arguments.command}", flush=True)
	try:
		return COMMANDS[arguments.command](Sandbox(), arguments)
	except Failed as error:
		fail(error)
	except KeyboardInterrupt:
		print(f"\nStopped after {time.monotonic() - began:.0f} s.")
		return 130


if __name__ == "__main__":
	sys.exit(main())
