"""Writes template.yaml for CloudFormation, as JSON: with its YAML merges written out, and "CODE" where the zip must be named.

deploy/terraform-aws takes it. Its CodeUri is the only one; `sam package` would write the same, but needs a bucket.
"""

import json
import os
import sys

from samtranslator.yaml_helper import yaml_parse

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "template.yaml"), encoding="utf-8") as source:
    template = yaml_parse(source.read())
template["Resources"]["Function"]["Properties"]["CodeUri"] = "CODE"
json.dump(template, sys.stdout, indent=1)
