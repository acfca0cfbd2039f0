"""What the Desk calls, by screen. Each method checks a permission and hands on; what a user may not see is left out.

Their addresses are `marketing_automation.api.<method>`: number cards and other systems keep them.
"""

from marketing_automation.api.access import may_open
from marketing_automation.api.campaigns import (
	activate,
	activation,
	campaign_states,
	coming,
	duplicate,
	forecast,
	goals,
	journey,
	make_from_recipe,
	offers,
	pause,
	preview,
	recipes,
	senders,
	sources,
	variables,
)
from marketing_automation.api.consent import ask_for_consent, topics, write_down_consent
from marketing_automation.api.messages import (
	forget,
	mail,
	retry,
	retry_run,
	send_skipped,
	send_test,
	why_customer,
	why_reference,
)
from marketing_automation.api.runs import due_next_week, last_run, run_now, run_preview, run_progress
from marketing_automation.api.site import (
	bind_site,
	brand_preview,
	country_profile,
	deliverability,
	health,
	holds,
)
from marketing_automation.api.suppression import (
	add_suppressions,
	export_suppressions,
	lift_suppression,
	read_mailbox,
)
from marketing_automation.api.templates import release_template, template_rights

__all__ = [
	"activate",
	"activation",
	"add_suppressions",
	"ask_for_consent",
	"bind_site",
	"brand_preview",
	"campaign_states",
	"coming",
	"country_profile",
	"deliverability",
	"due_next_week",
	"duplicate",
	"export_suppressions",
	"forecast",
	"forget",
	"goals",
	"health",
	"holds",
	"journey",
	"last_run",
	"lift_suppression",
	"mail",
	"make_from_recipe",
	"may_open",
	"offers",
	"pause",
	"preview",
	"read_mailbox",
	"recipes",
	"release_template",
	"retry",
	"retry_run",
	"run_now",
	"run_preview",
	"run_progress",
	"send_skipped",
	"send_test",
	"senders",
	"sources",
	"template_rights",
	"topics",
	"variables",
	"why_customer",
	"why_reference",
	"write_down_consent",
]
