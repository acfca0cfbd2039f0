"""What happens when somebody opens the Desk."""

import frappe

from marketing_automation.engine import watchdog
from marketing_automation.engine.channel import action_types
from marketing_automation.engine.ledger import DOCTYPE
from marketing_automation.engine.source import chosen_doctypes
from marketing_automation.permissions import by_role

# Those who can do something about it.
WATCHERS = {"Marketing Manager", "System Manager"}


def extend_bootinfo(bootinfo: dict) -> None:
	"""Tell the Desk what it asks for on every page, and look whether the nights are run, also where no scheduler is left to
	look. At most 3 queries; Frappe commits.

	`settle` warns by itself, but it is one of the scheduler's own jobs: when that is off, opening the Desk is what is
	left to notice it.
	"""
	bootinfo.lifecycle_action_types = action_types()
	bootinfo.lifecycle_references = chosen_doctypes() if by_role(DOCTYPE, "read") else []
	if frappe.flags.read_only or WATCHERS.isdisjoint(frappe.get_roles()):
		return
	watchdog.warn()
