"""The deletion handler with Powertools for AWS Lambda and the official SDKs."""

import json
import os

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkdds.v3 import DdsClient, DeleteManualBackupRequest, ListBackupsRequest

logger = Logger(service="dds-backup-delete")
processor = BatchProcessor(event_type=EventType.SQS)
events = boto3.client("events")
dds = (
    DdsClient.new_builder()
    .with_credentials(
        BasicCredentials(
            os.environ["HUAWEICLOUD_SDK_AK"],
            os.environ["HUAWEICLOUD_SDK_SK"],
            os.environ["HUAWEICLOUD_SDK_PROJECT_ID"],
        )
    )
    .with_http_config(HttpConfig(ssl_ca_cert=os.environ.get("AWS_CA_BUNDLE")))
    .with_endpoint(os.environ["DDS_ENDPOINT"])
    .build()
)
require_manual = os.environ.get("REQUIRE_MANUAL") == "true"
idempotency = IdempotencyConfig(event_key_jmespath="backup_id")


# With POWERTOOLS_IDEMPOTENCY_DISABLED the table, which then has no name, is never asked.
@idempotent_function(
    data_keyword_argument="request",
    persistence_store=DynamoDBPersistenceLayer(table_name=os.environ.get("LEDGER_TABLE", "none")),
    config=idempotency,
)
def delete(request: dict, request_id: str) -> dict:
    if require_manual:
        backups = dds.list_backups(ListBackupsRequest(backup_id=request["backup_id"])).backups
        if [(b.type, b.status) for b in backups] != [("Manual", "COMPLETED")]:
            raise RuntimeError("not a finished manual backup")
    response = dds.delete_manual_backup(DeleteManualBackupRequest(backup_id=request["backup_id"]))
    return {"request_id": request_id, "backup_id": request["backup_id"], "job_id": response.job_id, "status": "accepted"}


def work(record: SQSRecord) -> None:
    outcome = delete(request=json.loads(record.body), request_id=record.message_id)
    logger.info("deleted", extra=outcome)
    result = events.put_events(
        Entries=[
            {
                "EventBusName": os.environ["OUTCOME_SINK"],
                "Source": "dds-backup-delete",
                "DetailType": "dds.backup.deletion.accepted.v1",
                "Detail": json.dumps(outcome),
            }
        ]
    )
    if result["FailedEntryCount"]:
        raise RuntimeError(result["Entries"][0]["ErrorCode"])


def handler(event: dict, context) -> dict:
    idempotency.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=work, processor=processor, context=context)
