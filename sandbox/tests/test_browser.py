"""What the browser tests (sandbox/desk/browser/*.test.cjs) promise, on a site of their own."""

import cli
import desk
import pytest
from report import Failed

SITE = "browser.localhost"
PASSWORD = "browser"
MARKETER = "marketer@example.com"
STRANGER = "stranger@example.com"


@pytest.fixture(scope="module")
def site():
	"""The bench, and the address of a site with a marketer and somebody who is none."""
	sandbox = cli.Sandbox()
	try:
		desk.need_programs(sandbox.bench, browser=True)
	except Failed as error:
		pytest.skip(str(error))
	desk.build_assets(sandbox.bench)
	sandbox.sites.fresh(SITE)
	desk.add_user(sandbox.bench, SITE, MARKETER, PASSWORD, *desk.MARKETER_ROLES)
	desk.add_user(sandbox.bench, SITE, STRANGER, PASSWORD, "Sales User")
	with desk.served(sandbox.bench, SITE) as url:
		yield sandbox.bench, url


@pytest.mark.parametrize("file", sorted(desk.BROWSER.glob("*.test.cjs")), ids=lambda file: file.name)
def test_in_a_browser(site, file):
	bench, url = site
	done = desk.browse(
		bench, "--test", file, DESK_URL=url, MARKETER=MARKETER, STRANGER=STRANGER, PASSWORD=PASSWORD
	)
	assert done.returncode == 0, done.stdout
