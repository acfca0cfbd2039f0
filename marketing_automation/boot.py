"""What happens when somebody opens the Desk."""

import frappe

from marketing_automation.engine import watchdog
from marketing_automation.engine.channel import action_types

# Those who can do something about it.
WATCHERS = {"Marketing Manager", "System Manager"}


def extend_bootinfo(bootinfo: dict) -> None:
	"""Look whether the nights are run, also where no scheduler is left to look. 2 queries; Frappe commits.

	`settle` warns by itself, but it is one of the scheduler's own jobs: when that is off, opening the Desk is what is
	left to notice it.
	"""
	bootinfo.lifecycle_action_types = action_types()
	if frappe.flags.read_only or WATCHERS.isdisjoint(frappe.get_roles()):
		return
	watchdog.warn()
