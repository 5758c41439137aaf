"""moto's server, with the resource types of template.yaml that its CloudFormation lacks.

Such a resource is created by a call to moto's own service through boto3, which checks each property against the
service's model.
"""

import argparse
import json

import boto3
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.server import main

arguments = argparse.ArgumentParser(add_help=False)
arguments.add_argument("-p", "--port", required=True)
port = arguments.parse_known_args()[0].port


def client(service, region):
    return boto3.client(
        service, region_name=region, endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="moto", aws_secret_access_key="moto"
    )


def subscription(c, name, p):
    attributes = {n: p.pop(n) for n in ("RedrivePolicy", "FilterPolicy", "FilterPolicyScope") if p.get(n)}
    # CloudFormation takes a policy as an object or as its text.
    attributes = {n: v if isinstance(v, str) else json.dumps(v) for n, v in attributes.items()}
    made = c.subscribe(Attributes=attributes, ReturnSubscriptionArn=True, **p)
    return made["SubscriptionArn"], {}


def topic_policy(c, name, p):
    for topic in p["Topics"]:
        c.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(p["PolicyDocument"]))
    return name, {}


def queue_policy(c, name, p):
    for queue in p["Queues"]:
        c.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(p["PolicyDocument"])})
    return name, {}


def alarm(c, name, p):
    c.put_metric_alarm(AlarmName=name, **p)
    return name, {"Arn": c.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]}


def url(c, name, p):
    made = c.create_function_url_config(FunctionName=p.pop("TargetFunctionArn"), **p)
    return made["FunctionArn"], {"FunctionUrl": made["FunctionUrl"]}


def event_invoke_config(c, name, p):
    c.put_function_event_invoke_config(**p)
    return name, {}


def part_of_api(operation, id_field):
    def make(c, name, p):
        return getattr(c, operation)(**p)[id_field], {}

    return make


TYPES = {
    "AWS::SNS::Subscription": ("sns", subscription),
    "AWS::SNS::TopicPolicy": ("sns", topic_policy),
    "AWS::SQS::QueuePolicy": ("sqs", queue_policy),
    "AWS::CloudWatch::Alarm": ("cloudwatch", alarm),
    "AWS::Lambda::Url": ("lambda", url),
    "AWS::Lambda::EventInvokeConfig": ("lambda", event_invoke_config),
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", part_of_api("create_api", "ApiId")),
    "AWS::ApiGatewayV2::Authorizer": ("apigatewayv2", part_of_api("create_authorizer", "AuthorizerId")),
    "AWS::ApiGatewayV2::Integration": ("apigatewayv2", part_of_api("create_integration", "IntegrationId")),
    "AWS::ApiGatewayV2::Route": ("apigatewayv2", part_of_api("create_route", "RouteId")),
    "AWS::ApiGatewayV2::Stage": ("apigatewayv2", part_of_api("create_stage", "StageName")),
}


class Made:
    """A resource, as moto's CloudFormation expects it."""

    def __init__(self, physical_id, attributes):
        self.physical_id = physical_id
        self.attributes = attributes

    @property
    def physical_resource_id(self):
        return self.physical_id

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, name):
        return self.attributes[name]


def register(kind, service, make):
    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(*make(client(service, region_name), resource_name, cloudformation_json["Properties"]))

    def no_change(cls, *args, **kwargs):
        raise NotImplementedError(f"{kind} cannot be updated")

    def stays(cls, *args, **kwargs):
        """A deleted stack leaves it, which no test sees."""

    # moto finds its models as direct subclasses.
    return type(
        kind.replace("::", ""),
        (Made, CloudFormationModel),
        {
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: ""),
            "create_from_cloudformation_json": classmethod(create),
            "update_from_cloudformation_json": classmethod(no_change),
            "delete_from_cloudformation_json": classmethod(stays),
        },
    )


models = [register(kind, service, make) for kind, (service, make) in TYPES.items()]  # kept, or they would be garbage collected

clean = parsing.clean_json


def clean_lists(value, resources):
    """Removes AWS::NoValue from lists as CloudFormation does; moto would leave a null."""
    cleaned = clean(value, resources)
    return [v for v in cleaned if v is not None] if isinstance(value, list) else cleaned


parsing.clean_json = clean_lists

# A change of this property replaces the resource. moto would change the old one, or leave it.
REPLACED_BY = {"AWS::SQS::Queue": ("QueueName", "name"), "AWS::Lambda::EventSourceMapping": ("EventSourceArn", "event_source_arn")}
load_conditions = parsing.ResourceMap.load_conditions


def load_conditions_and_replace(stack):
    """In an update, replaces what CloudFormation would replace, and updates the policies that name it."""
    load_conditions(stack)
    region, old = stack._region_name, {}
    for kind, (prop, attribute) in REPLACED_BY.items():  # the queues first, which the mapping names
        for logical, template in stack._resource_json_map.items():
            existing = stack._parsed_resources.get(logical)
            if template["Type"] == kind and existing and parsing.clean_json(template["Properties"][prop], stack) != getattr(existing, attribute):
                old[logical] = stack._parsed_resources.pop(logical)
                if kind == "AWS::Lambda::EventSourceMapping":
                    template["Properties"]["Enabled"] = False  # CloudFormation enables it, but moto cannot run the function
        for logical in old:
            stack[logical]  # makes it
    for logical, existing in old.items():
        if stack._resource_json_map[logical].get("UpdateReplacePolicy") == "Retain":
            continue
        if logical == "FunctionRequests":
            client("lambda", region).delete_event_source_mapping(UUID=existing.uuid)
        else:
            client("sqs", region).delete_queue(QueueUrl=existing.physical_resource_id)
    for logical, template in stack._resource_json_map.items() if old else ():
        if template["Type"] in ("AWS::IAM::Role", "AWS::SQS::QueuePolicy"):
            properties = parsing.parse_resource_and_generate_name(logical, template, stack)[1]["Properties"]
            if template["Type"] == "AWS::SQS::QueuePolicy":
                queue_policy(client("sqs", region), logical, properties)
            for policy in properties.get("Policies", ()):
                client("iam", region).put_role_policy(
                    RoleName=stack[logical].physical_resource_id,
                    PolicyName=policy["PolicyName"],
                    PolicyDocument=json.dumps(policy["PolicyDocument"]),
                )


parsing.ResourceMap.load_conditions = load_conditions_and_replace

if __name__ == "__main__":
    main()
