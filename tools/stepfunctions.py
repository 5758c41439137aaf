"""Runs a state machine in moto's interpreter, which comes from LocalStack. It calls functions over HTTP.

It reads {"definition", "inputs", "function", "table", "one_by_one"} from stdin. "function" is a URL that answers the payload
of an invocation with {"payload", "error"}; "error" is true for a function error. "table" is a DynamoDB table with the key "attempt"
to make. Inputs run at once or one by one. It writes a list with the DescribeExecution result of each input.
"""

import io
import json
import sys
import time
import urllib.request

import boto3
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

task = json.load(sys.stdin)


class Function:
    """The one call of Lambda's API that a task state makes."""

    def invoke(self, **parameters):
        with urllib.request.urlopen(task["function"], data=parameters["Payload"]) as answer:
            reply = json.load(answer)
        result = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(reply["payload"]).encode())}
        if reply["error"]:
            result["FunctionError"] = "Unhandled"
        return result


# moto would run the function in Docker.
lambda_eval_utils.boto_client_for = lambda **_: Function()

with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
    client = boto3.client("stepfunctions", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    machine = client.create_state_machine(
        name="machine", definition=json.dumps(task["definition"]), roleArn="arn:aws:iam::123456789012:role/role"
    )["stateMachineArn"]
    if table := task.get("table"):
        boto3.client("dynamodb", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x").create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "attempt", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "attempt", "KeyType": "HASH"}],
        )

    def start(n):
        return client.start_execution(stateMachineArn=machine, name=f"execution-{n}", input=json.dumps(task["inputs"][n]))["executionArn"]

    def end(execution):
        while (result := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.1)
        return {key: result.get(key) for key in ("status", "output", "error", "cause")}

    numbers = range(len(task["inputs"]))
    if task.get("one_by_one"):
        results = [end(start(n)) for n in numbers]
    else:
        results = [end(execution) for execution in [start(n) for n in numbers]]
json.dump(results, sys.stdout)
