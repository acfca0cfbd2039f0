"""What reads ERPNext's tables passes on the tables of the other version of ERPNext, too: on 15 where the rest of the tests
runs on 16, on 16 where it runs on 15.
"""

import subprocess

import pytest
from cli import PROJECT, Sandbox
from services import Redis
from sites import Sites

SITE = "shape.localhost"
TESTS = PROJECT / "marketing_automation" / "tests"
# All that asks ERPNext for anything but the name of a customer or an item.
FILES = (
	"test_audience.py",
	"test_contract_of_holds.py",
	"test_delivery.py",
	"test_goal_renewed.py",
	"test_goals.py",
	"test_goals_of_documents.py",
	"test_documents_with_dates.py",
	"test_insight.py",
	"test_old_sales.py",
	"test_owner_by_sale.py",
	"test_preview.py",
	"test_recipes_of_every_kind.py",
	"test_renewal.py",
	"test_reports.py",
	"test_scale.py",
	"test_source_of_truth.py",
	"test_sources.py",
)


@pytest.fixture(scope="module")
def environ():
	"""The environment of a test run on a new site in the other shape, with a Redis of its own."""
	mine = Sandbox().bench
	if mine.real_erpnext:
		pytest.skip("ERPNext is real")
	sandbox = Sandbox("16" if mine.shape == "15" else "15")
	sandbox.bench.build(sandbox.services)
	folder = sandbox.bench.folder / "other-shape"
	redis = Redis(folder / "redis")
	redis.start()
	try:
		sandbox.sites.prepare()
		bench = sandbox.bench.twin(folder, {**sandbox.services, "redis": redis})
		Sites(bench, sandbox.services["mariadb"], redis).fresh(SITE)
		yield bench.python, bench.environ(FRAPPE_SITE=SITE, FRAPPE_SITES_PATH=str(bench.sites))
	finally:
		redis.stop()


@pytest.mark.parametrize("file", FILES)
def test_on_it(environ, file):
	python, variables = environ
	# Of the run that this one belongs to.
	own = {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}
	command = [python, "-m", "pytest", TESTS / file, "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
	done = subprocess.run(
		[str(part) for part in command], cwd=PROJECT, env=own, capture_output=True, text=True
	)
	assert done.returncode == 0, done.stdout + done.stderr
	assert " passed" in done.stdout.splitlines()[-1], done.stdout
