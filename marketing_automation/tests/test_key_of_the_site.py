"""The key of hashes and links is made once, stays, and is read by no role."""

from unittest.mock import patch

import frappe

from marketing_automation.engine import secrets
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase


class TestKeyOfTheSite(MarketingTestCase):
	def test_it_is_there_after_the_installation_and_has_32_bytes(self):
		self.assertEqual(len(secrets.key()), 32)

	def test_making_it_again_leaves_it_as_it_is(self):
		before = secrets.key()
		secrets.make()
		del frappe.local.lifecycle_key
		self.assertEqual(secrets.key(), before)

	def test_it_does_not_depend_on_the_sites_encryption_key(self):
		before = secrets.key()
		del frappe.local.lifecycle_key
		with patch.dict(frappe.local.conf, encryption_key="x" * 44):
			self.assertEqual(secrets.key(), before)

	def test_no_role_reads_or_writes_it_by_the_generic_api(self):
		user = factories.user("System Manager", "Marketing Manager", "Marketing User")
		frappe.set_user(user)
		for method, arguments in (
			("frappe.client.get", {"doctype": secrets.DOCTYPE}),
			("frappe.client.get_single_value", {"doctype": secrets.DOCTYPE, "field": "key"}),
			("frappe.client.get_value", {"doctype": secrets.DOCTYPE, "fieldname": "key"}),
			(
				"frappe.client.set_value",
				{
					"doctype": secrets.DOCTYPE,
					"name": secrets.DOCTYPE,
					"fieldname": "key",
					"value": "00",
				},
			),
		):
			with self.subTest(method), self.assertRaises(frappe.PermissionError):
				frappe.get_attr(method)(**arguments)

	def test_nobody_saves_over_it_or_deletes_it(self):
		document = frappe.get_doc(secrets.DOCTYPE)
		document.key = "00"
		with self.assertRaises(frappe.PermissionError):
			document.save(ignore_permissions=True)
		with self.assertRaises(frappe.PermissionError):
			document.delete(ignore_permissions=True)
