"""Checks every aws command in the documents and examples against the models of the AWS API.

The AWS CLI is generated from the same models, which are part of botocore. This checks commands, options and required
options, but not the values.
"""

import pathlib
import re
import subprocess
import sys

import botocore.session
from botocore import xform_name

# Options of the CLI itself.
GLOBAL = {"query", "output", "region", "profile", "endpoint-url", "cli-binary-format"}
# Commands that exist only in the CLI, and their options.
OWN = {
    ("cloudformation", "deploy"): {"stack-name", "template-file", "s3-bucket", "capabilities", "parameter-overrides"},
    ("cloudformation", "wait"): {"stack-name"},
    ("configure", "export-credentials"): {"format"},
    ("s3", "cp"): set(),
}

session = botocore.session.get_session()
services = set(session.get_available_services())
faults, checked = [], 0


def check(where, service, command, options):
    if (service, command) in OWN:
        unknown, missing = options - OWN[service, command] - GLOBAL, set()
    else:
        if service not in services:
            faults.append(f"{where}: there is no aws {service}")
            return
        model = session.get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        if command not in operations:
            faults.append(f"{where}: aws {service} has no {command}")
            return
        shape = model.operation_model(operations[command]).input_shape
        members = shape.members if shape else {}
        known = {xform_name(name, "-") for name in members}
        flags = {xform_name(n, "-") for n, member in members.items() if member.type_name == "boolean"}
        unknown = options - known - GLOBAL - {f"no-{flag}" for flag in flags}
        missing = {xform_name(name, "-") for name in (shape.required_members if shape else [])} - options
    for what, names in (("unknown", unknown), ("missing", missing)):
        if names:
            faults.append(f"{where}: aws {service} {command}: {what} {' '.join(sorted(names))}")


files = subprocess.run(["git", "ls-files", "*.md", "examples", ":!*.go"], check=True, capture_output=True, text=True).stdout.split()
for file in files:
    text = pathlib.Path(file).read_text(encoding="utf-8")
    # A command continues after a backslash, and inside backquotes on the next line. It ends with its line or its backquotes.
    text = re.sub(r"\\\n", " ", text)
    text = re.sub(r"`(aws [^`]*)`", lambda m: "`" + m[1].replace("\n", " ") + "`", text)
    for found in re.finditer(r"(?:^|[\s`(!#])aws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)([^\n`|]*)", text):
        service, command, rest = found.groups()
        rest = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"", "x", rest.split(" && ")[0].split(" | ")[0])
        options = set(re.findall(r"(?<=\s)--([a-z][a-z0-9-]*)", rest))
        if options or found[0].lstrip()[0] != "`":
            checked += 1
            check(file, service, command, options)

print("\n".join(faults) or f"{checked} commands")
sys.exit(bool(faults) or checked == 0)
