"""What the browser tests (sandbox/desk/browser/*.test.cjs) promise, on a site of their own."""

import cli
import desk
import pytest
from report import Failed

SITE = "browser.localhost"
PASSWORD = "browser"
MARKETER = "marketer@example.com"
SPANISH_MARKETER = "mercadotecnia@example.com"
STRANGER = "stranger@example.com"


@pytest.fixture(scope="module")
def site():
	"""The bench, and the address of a site with two marketers, of whom one reads Spanish, and somebody who is none."""
	sandbox = cli.Sandbox()
	try:
		desk.need_programs(sandbox.bench, browser=True)
	except Failed as error:
		pytest.skip(str(error))
	desk.build_assets(sandbox.bench)
	sandbox.sites.fresh(SITE)
	sandbox.bench.script("browser_data.py", SITE, log="browser-data.log")
	logins = {
		MARKETER: ("en", *desk.MARKETER_ROLES),
		SPANISH_MARKETER: ("es", *desk.MARKETER_ROLES),
		STRANGER: ("en", "Sales User"),
	}
	desk.add_users(sandbox.bench, SITE, PASSWORD, logins)
	with desk.mailbox(sandbox.bench) as (mail, _file):
		sandbox.sites.configure(SITE, **mail)
		with desk.served(sandbox.bench, SITE, workers=1) as url:
			yield sandbox.bench, url


def test_in_a_browser(site):
	bench, url = site
	users = {"MARKETER": MARKETER, "SPANISH_MARKETER": SPANISH_MARKETER, "STRANGER": STRANGER}
	reporter = ("--test-reporter", desk.BROWSER / "reporter.cjs")
	done = desk.browse(bench, *reporter, desk.BROWSER / "tests.cjs", DESK_URL=url, PASSWORD=PASSWORD, **users)
	# What failed stands first, for long outputs are cut.
	assert done.returncode == 0, done.stdout
	assert "from a recipe to the answer why" in done.stdout, done.stdout
