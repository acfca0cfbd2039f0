"""Connects pytest to a site: FRAPPE_SITE, in the sites folder FRAPPE_SITES_PATH. `make test` sets both."""

import os

import pytest


def pytest_configure(config):
	import frappe

	site, sites = os.environ.get("FRAPPE_SITE"), os.environ.get("FRAPPE_SITES_PATH")
	if not (site and sites):
		raise pytest.UsageError("Set FRAPPE_SITE and FRAPPE_SITES_PATH to a test site, or use: make test")
	os.chdir(sites)
	frappe.init(site=site, sites_path=".")
	if not frappe.conf.allow_tests:
		raise pytest.UsageError(f"{site} does not allow tests (site_config.json: allow_tests).")
	frappe.flags.in_test = True
	frappe.connect()
	frappe.set_user("Administrator")


def pytest_unconfigure(config):
	import frappe

	if getattr(frappe.local, "db", None):
		frappe.destroy()
