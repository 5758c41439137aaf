"""Replaces values that schemathesis generates with ones that the simulated DDS knows: its project and its backups."""

import base64
import json
import re

import schemathesis

BACKUPS = [
    "8d9586c40b33449a815518d4635a2cd9br02",
    "2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02",
    "d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02",  # busy with a restore
]
KNOWN = {
    "project_id": "0549b4a43100d4f32f51c01c2fe4acdb",
    "region": "cn-north-4",
    "data_base64": base64.b64encode(json.dumps({"backup_id": BACKUPS[0]}).encode()).decode(),
}
METADATA = 1024  # bytes
QUERY = ("project_id", "region", "dry_run", "expires_at")
LATER = "2999-01-01T00:00:00Z"  # a time that has passed is valid, and such a request is rejected by its rule


def known(name, value):
    """Replaces valid values only: invalid ones must stay invalid."""
    if name == "metadata" and isinstance(value, dict) and len(json.dumps(value)) > METADATA:
        return {}  # too many bytes; a schema cannot express that
    if isinstance(value, dict):
        return {key: known(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [known(name, inner) for inner in value]
    if isinstance(value, str) and value:
        if name in ("backup_id", "backups_id", "backup_ids") and re.fullmatch("[A-Za-z0-9_-]{1,64}", value):
            return BACKUPS[len(value) // 2 % len(BACKUPS)] if len(value) % 2 else value
        if name in ("expires_at", "expirytime") and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].*", value):
            return LATER
        return KNOWN.get(name, value)
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path_parameters:
        case.path_parameters = known("", case.path_parameters)
    if isinstance(case.body, (dict, list)):
        case.body = known("", case.body)
    if case.query:
        # A query must not repeat what the body says; a schema cannot express that.
        body = json.dumps(case.body) if isinstance(case.body, (dict, list)) else ""
        case.query = {name: value for name, value in known("", case.query).items() if (name not in QUERY or name not in body) and not (name == "expires_at" and "expirytime" in body)}
