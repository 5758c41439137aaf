"""Deploys template.yaml to the moto server that MOTO_ENDPOINT names, and describes the stack as JSON.

    deploy.py NAME Parameter=value ...

It updates an existing stack as `sam deploy` does: with new code, and with the previous value of each parameter that is not given.

moto does not check parameters as CloudFormation does, so this does: patterns, values and the template's Rules.
"""

import ast
import io
import json
import os
import re
import sys
import zipfile

import boto3
from expand import expand

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def client(service):
    return boto3.client(
        service, region_name="eu-central-1", endpoint_url=os.environ["MOTO_ENDPOINT"], aws_access_key_id="moto", aws_secret_access_key="moto"
    )


def holds(rule, values):
    """Returns whether a condition of a rule is true."""
    if "Ref" in rule:
        return values[rule["Ref"]]
    ((function, of),) = rule.items()
    of = [holds(o, values) if isinstance(o, dict) else o for o in of]
    match function:
        case "Fn::Equals":
            return str(of[0]) == str(of[1])
        case "Fn::Not":
            return not of[0]
        case "Fn::And":
            return all(of)
        case "Fn::Or":
            return any(of)
    raise ValueError(f"a rule with {function}")


def check(template, given):
    """Refuses parameters that CloudFormation would refuse before it creates anything."""
    values = {}
    for name, p in template["Parameters"].items():
        if name not in given and "Default" not in p:
            sys.exit(f"{name}: missing")
        values[name] = given.get(name, p.get("Default"))
        text = str(values[name])
        if "AllowedValues" in p and text not in map(str, p["AllowedValues"]):
            sys.exit(f"{name}: {text}; want one of {p['AllowedValues']}")
        if "AllowedPattern" in p and not re.fullmatch(p["AllowedPattern"], text):
            sys.exit(f"{name}: not of the form {p['AllowedPattern']}")
        if p["Type"] == "Number" and not p.get("MinValue", 0) <= int(text) <= p.get("MaxValue", 1 << 31):
            sys.exit(f"{name}: {text}; out of bounds")
    if unknown := given.keys() - template["Parameters"].keys():
        sys.exit(f"no such parameter: {unknown}")
    for rule in template["Rules"].values():
        if "RuleCondition" in rule and not holds(rule["RuleCondition"], values):
            continue
        for assertion in rule["Assertions"]:
            if not holds(assertion["Assert"], values):
                sys.exit(assertion["AssertDescription"])


def existing(name):
    """Returns the parameters of the stack, or None if there is none of that name."""
    cloudformation = client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if stack["StackName"] == name:
            return {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])}
    return None


def stop(name):
    """Stops a new stack by the calls of the runbook. moto would try to run the function otherwise."""
    (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    client("lambda").update_event_source_mapping(UUID=outputs["RequestMappingId"], Enabled=False)
    for rule in ("TickRule", "NextTickRule"):
        client("events").disable_rule(Name=outputs[rule])
    client("lambda").put_function_concurrency(FunctionName=outputs["FunctionName"], ReservedConcurrentExecutions=0)


def deploy(name, given):
    """Creates or updates the stack, with a bucket for the code, which never runs."""
    previous = existing(name)
    key = "key" if previous is None else "new-key"
    template = expand(os.path.join(ROOT, "template.yaml"), bucket=name, key=key)
    given = {**(previous or {}), **given}
    check(template, given)
    # Defaults are passed, too: in an update, moto takes a missing one for a change.
    values = {k: str(p["Default"]) for k, p in template["Parameters"].items() if "Default" in p} | given
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    s3 = client("s3")
    if previous is None:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=name, Key=key, Body=code.getvalue())
    cloudformation = client("cloudformation")
    make = cloudformation.create_stack if previous is None else cloudformation.update_stack
    make(
        StackName=name,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    if previous is None:
        stop(name)
    return template


def parsed(document):
    """Returns a policy. moto stores those of a template as the text of a Python object."""
    return ast.literal_eval(document) if isinstance(document, str) else document


def describe(name, template):
    """Returns the resources of the stack as the services describe them."""
    cloudformation = client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    # moto also lists resources that a condition left out, without a name.
    resources = {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"] if r["LogicalResourceId"]}
    kinds = {logical: template["Resources"][logical]["Type"] for logical in resources}

    def of(kind):
        return {logical: resources[logical] for logical, k in kinds.items() if k == kind}

    iam, sqs, apigateway, cloudwatch = client("iam"), client("sqs"), client("apigatewayv2"), client("cloudwatch")
    role = resources["FunctionRole"]
    statements = []
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        statements += parsed(document)["Statement"]
    role = iam.get_role(RoleName=role)["Role"]
    events = client("events")
    mappings = client("lambda").list_event_source_mappings(FunctionName=resources["Function"])["EventSourceMappings"]
    return {
        "stack": stack["StackStatus"],
        "outputs": {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
        "resources": resources,
        "template": template,
        "function": client("lambda").get_function_configuration(FunctionName=resources["Function"]),
        "concurrency": client("lambda").get_function_concurrency(FunctionName=resources["Function"]).get("ReservedConcurrentExecutions"),
        "mappings": [{k: v for k, v in m.items() if k in ("UUID", "State", "BatchSize", "EventSourceArn", "FunctionResponseTypes", "ScalingConfig")} for m in mappings],
        "role": statements,
        "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "trust": parsed(role["AssumeRolePolicyDocument"])["Statement"],
        "queues": {
            logical: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for logical, url in of("AWS::SQS::Queue").items()
        },
        "table": client("dynamodb").describe_table(TableName=resources["Ledger"])["Table"],
        "rules": {
            logical: events.describe_rule(Name=rule) | {"targets": events.list_targets_by_rule(Rule=rule)["Targets"]}
            for logical, rule in of("AWS::Events::Rule").items()
            if "EventBusName" not in template["Resources"][logical]["Properties"]
        },
        "policy": json.loads(client("lambda").get_policy(FunctionName=resources["Function"])["Policy"])["Statement"],
        "routes": [
            {
                "key": route["RouteKey"],
                "auth": route["AuthorizationType"],
                "scopes": route.get("AuthorizationScopes", []),
                "function": apigateway.get_integration(ApiId=api, IntegrationId=route["Target"].removeprefix("integrations/"))["IntegrationUri"],
            }
            for api in of("AWS::ApiGatewayV2::Api").values()
            for route in apigateway.get_routes(ApiId=api)["Items"]
        ],
        "alarms": {
            logical: cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0] for logical, alarm in of("AWS::CloudWatch::Alarm").items()
        },
        "dashboards": [
            cloudwatch.get_dashboard(DashboardName=dashboard)["DashboardBody"] for dashboard in of("AWS::CloudWatch::Dashboard").values()
        ],
    }


if __name__ == "__main__":
    parameters = dict(argument.split("=", 1) for argument in sys.argv[2:])
    deployed = deploy(sys.argv[1], parameters)
    json.dump(describe(sys.argv[1], deployed), sys.stdout, indent=1, default=str)
