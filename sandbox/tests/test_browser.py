"""What the browser tests (sandbox/desk/browser/*.test.cjs) promise, on a site of their own."""

import contextlib
import re

import cli
import desk
import pytest
from report import Failed

SITE = "browser.localhost"
PASSWORD = "browser"
MARKETER = "marketer@example.com"
SPANISH_MARKETER = "mercadotecnia@example.com"
STRANGER = "stranger@example.com"
ADMINISTRATOR = "administrator@example.com"
# More than so many is no stall of the machine.
MOST_AGAIN = 3


@pytest.fixture(scope="module")
def sandbox():
	"""The sandbox, with what a browser needs."""
	sandbox = cli.Sandbox()
	try:
		desk.need_programs(sandbox.bench, browser=True)
	except Failed as error:
		pytest.skip(str(error))
	desk.build_assets(sandbox.bench)
	return sandbox


@contextlib.contextmanager
def served(sandbox):
	"""Yield the address of a new site with two marketers, of whom one reads Spanish, somebody who is none, and an administrator."""
	sandbox.sites.fresh(SITE)
	sandbox.bench.script("browser_data.py", SITE, log="browser-data.log")
	sandbox.bench.script("open_all_hours.py", SITE, log="open-all-hours.log")
	logins = {
		MARKETER: ("en", *desk.MARKETER_ROLES),
		SPANISH_MARKETER: ("es", *desk.MARKETER_ROLES),
		STRANGER: ("en", "Sales User"),
		ADMINISTRATOR: ("en", "System Manager", "Marketing Manager"),
	}
	desk.add_users(sandbox.bench, SITE, PASSWORD, logins)
	with desk.mailbox(sandbox.bench) as (mail, _file):
		sandbox.sites.configure(SITE, **mail)
		with desk.served(sandbox.bench, SITE, workers=1) as url:
			yield url


def browse(sandbox, only=()):
	"""Run the tests, or those of these names; returns the process, what failed first in its output."""
	users = {
		"MARKETER": MARKETER,
		"SPANISH_MARKETER": SPANISH_MARKETER,
		"STRANGER": STRANGER,
		"ADMINISTRATOR": ADMINISTRATOR,
	}
	options = ["--test-reporter", desk.BROWSER / "reporter.cjs"]
	for name in only:
		options += ["--test-name-pattern", f"^{re.escape(name)}$"]
	with served(sandbox) as url:
		return desk.browse(
			sandbox.bench, *options, desk.BROWSER / "tests.cjs", DESK_URL=url, PASSWORD=PASSWORD, **users
		)


def test_in_a_browser(sandbox):
	done = browse(sandbox)
	failed = re.findall(r"^  (\S.*) \([\d.]+ s\)$", done.stdout.partition("passed:")[0], re.MULTILINE)
	if 0 < len(failed) <= MOST_AGAIN:
		# A machine with other work can keep Chromium waiting longer than any patience. What is wrong fails again.
		print(done.stdout)
		done = browse(sandbox, failed)
		assert all(f"  {name} (" in done.stdout for name in failed), done.stdout
	else:
		assert "from a recipe to the answer why" in done.stdout, done.stdout
	assert done.returncode == 0, done.stdout
