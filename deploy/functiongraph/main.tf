# The FunctionGraph function of dds-backup-delete with its triggers, topics, agency, logs and alarms.
#
# It was never applied: there was no account to apply it to. ../functiongraph_test.go holds every argument against the
# documentation of the provider; README.md says what else was checked, and what was not.

terraform {
  required_version = ">= 1.3"

  required_providers {
    huaweicloud = {
      source  = "huaweicloud/huaweicloud"
      version = ">= 1.78.5, < 2.0.0"
    }
  }
}

provider "huaweicloud" {
  region       = var.region
  project_name = local.project_name
  cloud        = local.cloud
}

locals {
  project_name  = coalesce(var.project_name, var.region)
  cloud         = coalesce(var.cloud, can(regex("^eu-west-1", var.region)) ? "myhuaweicloud.eu" : "myhuaweicloud.com")
  request_topic = var.request_topic_urn != "" ? var.request_topic_urn : huaweicloud_smn_topic.requests[0].topic_urn
  outcome_topic = var.outcome_topic_urn != "" ? var.outcome_topic_urn : huaweicloud_smn_topic.outcomes[0].topic_urn

  # An agenda that is due must be worked, and the end of a deletion be looked for, also while no request comes.
  tick = { type = "dds.backup.agenda.tick.v1" }

  actions = concat(
    [
      "dds:backup:delete",
      "dds:backup:list",
      "dds:task:getDetail",
      "smn:topic:publish", # outcomes, and the record of an invocation that failed for good
      # What VPC access needs instead of the role VPC Administrator. The page on agencies also has vpc:vips:delete and
      # vpc:securityGroups:get, and smn:topic:list for the record: add what FunctionGraph asks for.
      # https://support.huaweicloud.com/intl/en-us/functiongraph_faq/functiongraph_03_0857.html
      "vpc:ports:create",
      "vpc:ports:delete",
      "vpc:ports:get",
      "vpc:subnets:get",
      "vpc:vpcs:get",
    ],
    # https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0920.html
    var.kafka == null ? [] : ["dms:instance:get"],
  )

  # A tick succeeds when the ledger cannot be reached, and only its ERROR lines in the log tell of it.
  # Metrics: https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0304.html
  alarms = {
    errors = {
      description = "Invocations fail: the ledger or the sink cannot be reached, the configuration is wrong, or a bug."
      metric      = "failcount", filter = "sum", threshold = 1, unit = "Count", periods = 2
    }
    throttles = {
      description = "Invocations are throttled: max_instances is too low for what comes in, or the account's limit is reached."
      metric      = "rejectcount", filter = "sum", threshold = 1, unit = "Count", periods = 3
    }
    duration = {
      description = "Invocations take more than four fifths of the timeout."
      metric      = "maxDuration", filter = "max", threshold = var.timeout * 800, unit = "ms", periods = 3
    }
  }
}

# --- The function ---

resource "huaweicloud_fgs_function" "this" {
  name                  = var.name
  app                   = "default"
  description           = "Deletes manual backups of DDS on request and sends the job ids onward as events."
  functiongraph_version = "v2"
  runtime               = "Custom"
  handler               = "bootstrap"
  code_type             = "zip"
  code_filename         = "function.zip"
  func_code             = filebase64(var.package)
  memory_size           = var.memory_size
  timeout               = var.timeout
  max_instance_num      = tostring(var.max_instances)
  agency                = huaweicloud_identity_agency.this.name

  # VPC access switches the public network off: DDS and SMN are then reached through the VPC's NAT gateway.
  vpc_id     = var.vpc_id
  network_id = var.subnet_id # the Network ID of the subnet, which is not its Subnet ID

  # What is empty is left out, as if it was not set.
  user_data = jsonencode({ for name, value in {
    DDS_REGION         = var.region
    HW_CLOUD           = local.cloud
    DRY_RUN            = tostring(var.dry_run)
    STOP_DELETIONS     = tostring(var.stop_deletions)
    REQUIRE_MANUAL     = tostring(var.require_manual)
    FOLLOW             = tostring(var.follow)
    FOLLOW_ALARM_AFTER = var.follow_alarm_after
    MAX_REQUEST_AGE    = var.max_request_age
    DDS_RATE           = var.dds_rate
    REQUEST_TYPE       = var.request_type
    REQUEST_SOURCES    = local.request_topic
    HTTP_BASE_PATH     = var.http_base_path
    OUTCOME_SINK       = local.outcome_topic
    LEDGER             = var.ledger
    AWS_CA_BUNDLE      = var.ledger_ca
  } : name => value if value != "" })
  encrypted_user_data = var.ledger_password == "" ? null : jsonencode({ LEDGER_PASSWORD = var.ledger_password })

  enable_lts_log  = true
  log_group_id    = huaweicloud_lts_group.this.id
  log_group_name  = huaweicloud_lts_group.this.group_name
  log_stream_id   = huaweicloud_lts_stream.this.id
  log_stream_name = huaweicloud_lts_stream.this.stream_name

  lifecycle {
    precondition {
      condition     = local.request_topic != local.outcome_topic
      error_message = "The topic of requests is the topic of outcomes, so outcomes would come in as requests. Give request_topic_urn and outcome_topic_urn different topics."
    }
    precondition {
      condition     = !var.follow || var.require_manual
      error_message = "follow needs require_manual, because only a backup that was seen before its deletion can be seen to be gone. Set follow to false without it."
    }
    precondition {
      condition     = var.ledger_password != "" || !can(regex("@", var.ledger))
      error_message = "ledger names a user, so ledger_password must be that user's password."
    }
  }
}

# An asynchronous invocation that fails is tried again, and after the last try its record goes to a topic.
resource "huaweicloud_fgs_async_invoke_configuration" "this" {
  function_urn                   = huaweicloud_fgs_function.this.urn
  max_async_retry_attempts       = var.async_retries
  max_async_event_age_in_seconds = var.async_max_age

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = huaweicloud_smn_topic.failed.topic_urn })
  }
}

# --- What the function may do ---

resource "huaweicloud_identity_role" "this" {
  name        = "${var.name}-function"
  description = "What the FunctionGraph function ${var.name} needs."
  type        = "XA" # region-specific projects

  policy = jsonencode({
    Version   = "1.1" # a policy of the old IAM console; identity policies (5.0) were not tried
    Statement = [{ Effect = "Allow", Action = local.actions }]
  })
}

resource "huaweicloud_identity_agency" "this" {
  name                  = var.name
  description           = "For the FunctionGraph function ${var.name}."
  delegated_domain_name = "op_svc_cff" # FunctionGraph
  duration              = "FOREVER"

  project_role {
    project = local.project_name
    roles   = [huaweicloud_identity_role.this.name]
  }
}

# --- Triggers ---

resource "huaweicloud_fgs_function_trigger" "tick" {
  function_urn = huaweicloud_fgs_function.this.urn
  type         = "TIMER"
  # status is not set, so that an update does not start what an operator stopped.

  event_data = jsonencode({
    name          = "tick"
    schedule_type = "Rate"
    schedule      = "${var.tick_minutes}m"
    user_event    = jsonencode(local.tick)
  })
}

resource "huaweicloud_fgs_function_trigger" "requests" {
  function_urn = huaweicloud_fgs_function.this.urn
  type         = "SMN"
  event_data   = jsonencode({ topic_urn = local.request_topic })
}

resource "huaweicloud_apig_group" "this" {
  count = var.apig_instance_id == "" ? 0 : 1

  instance_id = var.apig_instance_id
  name        = var.name
  description = "The HTTP API of the FunctionGraph function ${var.name}."
}

resource "huaweicloud_fgs_function_trigger" "http" {
  count = var.apig_instance_id == "" ? 0 : 1

  function_urn = huaweicloud_fgs_function.this.urn
  type         = "DEDICATEDGATEWAY"

  event_data = jsonencode({
    instance_id = var.apig_instance_id
    group_id    = huaweicloud_apig_group.this[0].id
    name        = var.name
    type        = 1 # public, which says nothing of who may call it
    auth        = var.apig_auth
    protocol    = "HTTPS"
    req_method  = "ANY"
    path        = coalesce(var.http_base_path, "/")
    match_mode  = "SWA" # all paths below
    env_name    = "RELEASE"
    env_id      = "DEFAULT_ENVIRONMENT_RELEASE_ID"
    func_info   = { timeout = min(var.timeout, 60) * 1000 }
  })

  lifecycle {
    ignore_changes = [event_data] # FunctionGraph returns more than it was given
  }
}

resource "huaweicloud_fgs_function_trigger" "kafka" {
  count = var.kafka == null ? 0 : 1

  function_urn = huaweicloud_fgs_function.this.urn
  type         = "KAFKA"
  status       = "ACTIVE"

  event_data = jsonencode({
    instance_id    = var.kafka.instance_id
    topic_ids      = var.kafka.topic_ids
    batch_size     = var.kafka.batch_size
    kafka_user     = var.kafka.user
    kafka_password = var.kafka_password
  })

  lifecycle {
    ignore_changes = [event_data] # FunctionGraph does not return the password
  }
}

# --- Topics ---

resource "huaweicloud_smn_topic" "requests" {
  count = var.request_topic_urn == "" ? 1 : 0

  name         = "${var.name}-requests"
  display_name = "Requests to delete DDS backups"
}

resource "huaweicloud_smn_topic" "outcomes" {
  count = var.outcome_topic_urn == "" ? 1 : 0

  name         = "${var.name}-outcomes"
  display_name = "Outcomes of DDS backup deletions"
}

resource "huaweicloud_smn_topic" "failed" {
  name         = "${var.name}-failed"
  display_name = "DDS backup deletions that were given up"
}

resource "huaweicloud_smn_topic" "alarms" {
  name         = "${var.name}-alarms"
  display_name = "Alarms of ${var.name}"
}

resource "huaweicloud_smn_subscription" "outcomes" {
  for_each = { for s in var.outcome_subscriptions : "${s.protocol} ${s.endpoint}" => s }

  topic_urn = local.outcome_topic
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

resource "huaweicloud_smn_subscription" "failed" {
  for_each = { for s in var.alarm_subscriptions : "${s.protocol} ${s.endpoint}" => s }

  topic_urn = huaweicloud_smn_topic.failed.topic_urn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

resource "huaweicloud_smn_subscription" "alarms" {
  for_each = { for s in var.alarm_subscriptions : "${s.protocol} ${s.endpoint}" => s }

  topic_urn = huaweicloud_smn_topic.alarms.topic_urn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

# --- Logs and alarms ---

resource "huaweicloud_lts_group" "this" {
  group_name  = var.name
  ttl_in_days = var.log_retention_days
}

resource "huaweicloud_lts_stream" "this" {
  group_id    = huaweicloud_lts_group.this.id
  stream_name = var.name
}

resource "huaweicloud_ces_alarmrule" "this" {
  for_each = local.alarms

  alarm_name           = "${var.name}-${each.key}"
  alarm_description    = each.value.description
  alarm_type           = "MULTI_INSTANCE"
  alarm_enabled        = true
  alarm_action_enabled = true

  metric {
    namespace = "SYS.FunctionGraph"
  }

  resources {
    dimensions {
      name  = "package-functionname"
      value = "${huaweicloud_fgs_function.this.app}-${huaweicloud_fgs_function.this.name}"
    }
  }

  condition {
    metric_name         = each.value.metric
    filter              = each.value.filter
    period              = 300
    comparison_operator = ">="
    value               = each.value.threshold
    unit                = each.value.unit
    count               = each.value.periods
    suppress_duration   = 3600
    alarm_level         = 2
  }

  alarm_actions {
    type              = "notification"
    notification_list = [huaweicloud_smn_topic.alarms.topic_urn]
  }
}
