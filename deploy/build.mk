# `sam build` runs this for each function, in the repository's root, with the folder to fill in ARTIFACTS_DIR. It needs
# no Docker: wheels are fetched for Lambda's platform and Python, which the Makefile that includes this one names. SAM
# finds that one by the parameters Architecture and Runtime.

PYTHON ?= python$(version)
artifact := "$(ARTIFACTS_DIR)"
# What one function needs more than the others.
durable = $(filter DurableLifecycle,$*)

build-%: interpreter dependencies-%
# Of the installer's records, vulnerability scanners read METADATA, and licences go where the code goes.
	find $(artifact) -type f -path '*.dist-info/*' ! -name METADATA ! -iname 'LICEN[CS]E*' -exec rm {} +
	rm -rf $(artifact)/bin
# Of the 400 services that botocore describes, the SDK calls one.
	$(if $(durable),find $(artifact)/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name lambda -exec rm -rf {} +)
# The package without what a function has no use for.
	find archal_lambda \( -path archal_lambda/cli -o -path archal_lambda/faults -o -path archal_lambda/invoke \
	  -o -path archal_lambda/lambda_events -o -path archal_lambda/local -o -path archal_lambda/testing \) -prune -o -name '*.py' -print \
	  | tar -cf - -T - | tar -xf - -C $(artifact)
# Lambda cannot write bytecode. This one is never compared with its source, whose date a zip does not keep.
	$(PYTHON) -m compileall -q --invalidation-mode unchecked-hash -s $(artifact) -p /var/task $(artifact)
# Lambda runs as another user.
	chmod -R a+rX $(artifact)

# Any Python's pip can do this, but only the function's own makes bytecode that it reads.
dependencies-%:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --no-compile --no-deps --require-hashes \
	  --only-binary=:all: --platform $(platform) --implementation cp --python-version $(version) --target $(artifact) \
	  --requirement deploy/requirements.txt $(if $(durable),--requirement deploy/requirements-durable.txt)

interpreter:
	@found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
	test "$$found" = $(version) || { echo "sam build needs Python $(version), because Runtime is python$(version);" \
	  "$(PYTHON) is $${found:+Python }$${found:-not found or does not start}." \
	  "Put python$(version) on PATH or its path into PYTHON" >&2; exit 1; }

.PHONY: interpreter
.NOTPARALLEL:
