"""Expands template.yaml with the SAM transform, as CloudFormation does, so that the real resources can be checked."""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator needs one


class NoManagedPolicies:
    """The template brings its own role."""

    def load(self):
        return {}


def expand(path, bucket="bucket", key="key"):
    """Returns the template at path, expanded; bucket and key are where `sam deploy` puts the binary."""
    with open(path, encoding="utf-8") as source:
        template = yaml_parse(source.read())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    values = {name: p.get("Default", "value") for name, p in template["Parameters"].items()}
    return transform(template, values, NoManagedPolicies())


if __name__ == "__main__":
    json.dump(expand(sys.argv[1]), sys.stdout, indent=1)
