"""Expand template.yaml as CloudFormation does with the SAM transform, for cfn-lint to look at what is really made."""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template brings its own role."""

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as source:
    template = yaml_parse(source.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/key"  # where `sam deploy` puts dist/
values = {name: p.get("Default", "value") for name, p in template["Parameters"].items()}
json.dump(transform(template, values, NoManagedPolicies()), sys.stdout, indent=1)
