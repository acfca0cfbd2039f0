# Nothing is needed before these but python3 and make. FRAPPE= and ERPNEXT= take a path or a git address with
# @branch, and the same commands then work on a bench with those. Without ERPNEXT there is a stand-in for it, with the
# tables of ERPNext 16, or with SHAPE=15 those of 15. ARGS= goes to the command.
SANDBOX = python3 sandbox/cli.py
export FRAPPE ERPNEXT SHAPE

.PHONY: demo faults benchmark test fuzz desk screenshots up down clean test-bench

demo: ## Run a night on demonstration data and check the sums
	@$(SANDBOX) demo

faults: ## Break it while it works, and count; the last line is the sum. ARGS=--short for two minutes of it
	@$(SANDBOX) faults $(ARGS)

benchmark: ## Measure beside what users have today, write benchmark.json; BENCH=... SITE=... on a real bench
	@BENCH="$(BENCH)" SITE="$(SITE)" $(SANDBOX) benchmark $(ARGS)

test: ## Run all tests; the last line is pytest's count
	@$(SANDBOX) test $(ARGS)

fuzz: ## Send 20,000 made-up requests to the public pages; the last line is pytest's count
	@FUZZED=20000 $(SANDBOX) test marketing_automation/tests/test_public_pages_fuzzed.py

desk: ## Open the Desk with the demonstration data; Ctrl-C ends it
	@$(SANDBOX) desk

screenshots: ## Take the documentation's pictures (docs/images): of the Desk, of mails, of the gallery
	@$(SANDBOX) screenshots
	@$(SANDBOX) mail-pictures
	@$(SANDBOX) gallery

up: ## Start the sandbox's services and leave them running
	@$(SANDBOX) up

down: ## Stop them
	@$(SANDBOX) down

clean: ## Stop them and remove all that the sandbox made
	@$(SANDBOX) clean

test-bench: ## Run the tests on a real bench: make test-bench BENCH=... SITE=...
	@$(SANDBOX) test-bench "$(BENCH)" "$(SITE)"
