"""Connects pytest to a site: FRAPPE_SITE, in the sites folder FRAPPE_SITES_PATH. `make test` sets both.

Where tests run side by side (pytest -n), each worker has a site of its own: {worker} in the folder is its name.
"""

import os

import pytest

# They take longest, and mostly wait for processes of their own: whoever begins with them ends early.
LONG = ("test_faults.py", "test_browser.py", "test_other_shape.py", "test_install.py", "test_end_to_end.py")


def pytest_configure(config):
	if config.getoption("dist", "no") != "no":
		# This process hands the tests out and runs none.
		return

	import frappe

	site, sites = os.environ.get("FRAPPE_SITE"), os.environ.get("FRAPPE_SITES_PATH")
	if not (site and sites):
		raise pytest.UsageError("Set FRAPPE_SITE and FRAPPE_SITES_PATH to a test site, or use: make test")
	os.chdir(sites.format(worker=os.environ.get("PYTEST_XDIST_WORKER")))
	frappe.init(site=site, sites_path=".")
	if not frappe.conf.allow_tests:
		raise pytest.UsageError(f"{site} does not allow tests (site_config.json: allow_tests).")
	frappe.flags.in_test = True
	if "in_test" in vars(frappe):
		# Frappe 16 asks this one.
		frappe.in_test = True
	frappe.connect()
	frappe.set_user("Administrator")


def pytest_collection_modifyitems(items):
	items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_unconfigure(config):
	import frappe

	if getattr(frappe.local, "db", None):
		frappe.destroy()
