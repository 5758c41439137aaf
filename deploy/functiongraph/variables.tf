# --- Huawei Cloud ---

variable "region" {
  description = "Region of the function and of the backups, for example cn-north-4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z0-9]+)+$", var.region))
    error_message = "The region must be the name of a region, for example cn-north-4."
  }
}

variable "project_name" {
  description = "Name of the project of the function and of the backups. Empty is the region's own project."
  type        = string
  default     = ""
}

variable "cloud" {
  description = "Domain of the cloud. Empty is that of the region: myhuaweicloud.com, or myhuaweicloud.eu for eu-west-101."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z0-9-]+([.][a-z0-9-]+)+)?$", var.cloud))
    error_message = "The cloud must be a domain, for example myhuaweicloud.com, or empty."
  }
}

variable "name" {
  description = "Name of the function; names of everything else begin with it."
  type        = string
  default     = "dds-backup-delete"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{1,38}[A-Za-z0-9]$", var.name))
    error_message = "The name must be 3 to 40 letters, digits and hyphens, must begin with a letter and must not end with a hyphen."
  }
}

variable "package" {
  description = "Path of the function's zip, relative to this folder. The default is what make build-functiongraph writes; a release has ../../dds-backup-delete_v1.0.0_functiongraph_amd64.zip, for example."
  type        = string
  default     = "../../dist/functiongraph/amd64/function.zip"
}

# --- The network and the ledger ---

variable "vpc_id" {
  description = "ID of the VPC that the ledger is in. A NAT gateway there must lead to DDS and SMN."
  type        = string
}

variable "subnet_id" {
  description = "Network ID of the subnet, from the subnet's page in the VPC console. It is not the Subnet ID there."
  type        = string
}

variable "ledger" {
  description = "Address of the Valkey or Redis server that outlives the function, for example redis://192.168.0.10:6379, or rediss:// if SSL is switched on. Its password belongs into ledger_password."
  type        = string

  validation {
    condition     = can(regex("^rediss?://([^:@/]+@)?[^:@/]+(:[0-9]+)?(/[0-9]*)?([?]prefix=[^&#]+)?$", var.ledger))
    error_message = "The ledger must be rediss:// or redis://, an optional user without a password, and a host, for example rediss://ledger@192.168.0.10:6379/0. A ledger in memory would be lost with each instance."
  }
}

variable "ledger_password" {
  description = "Password of the user in ledger, or of the default user; empty if the server asks for none. It has no default, so that an apply without it cannot take it from the function. Terraform keeps it in its state."
  type        = string
  sensitive   = true
}

variable "ledger_ca" {
  description = "Path, as the function sees it, of a file in the zip with the certificate authority of the ledger, for example code/ca.crt. Empty trusts the system's."
  type        = string
  default     = ""
}

# --- What may be deleted ---

variable "dry_run" {
  description = "Delete no backup and write nothing of a request into the ledger; do the rest. Set it to true for the first deployment, then to false here and not in the console."
  type        = bool
  default     = false
}

variable "stop_deletions" {
  description = "Send no DELETE. Requests wait in the ledger; backups whose deletion was started are still checked."
  type        = bool
  default     = false
}

variable "require_manual" {
  description = "Look each backup up and delete only a finished manual one."
  type        = bool
  default     = true
}

variable "follow" {
  description = "Follow each deletion until the backup is gone, and publish its end. Needs require_manual."
  type        = bool
  default     = true
}

variable "follow_alarm_after" {
  description = "How long a deletion may take before it counts as overdue in the log, 5m to 168h."
  type        = string
  default     = "2h"

  validation {
    condition     = can(regex("^(([5-9]|[1-9][0-9]{1,3})m|([1-9]|[1-9][0-9]|1[0-5][0-9]|16[0-7])h([1-5]?[0-9]m)?|168h)$", var.follow_alarm_after))
    error_message = "follow_alarm_after must be a time of 5m to 168h, for example 2h or 90m."
  }
}

variable "max_request_age" {
  description = "Age from which a request is rejected as expired, for example 36h. Empty is no limit."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", var.max_request_age))
    error_message = "max_request_age must be a duration, for example 36h or 90m, or empty."
  }
}

variable "dds_rate" {
  description = "Calls to DDS per second that one instance makes at the most. Empty follows DDS's own limit."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9]+([.][0-9]+)?)?$", var.dds_rate))
    error_message = "dds_rate must be a number, for example 0.66, or empty."
  }
}

# --- Where requests come from ---

variable "request_topic_urn" {
  description = "URN of an SMN topic of this project that requests come from. Empty makes one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(urn:smn:[a-z0-9-]+:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+)?$", var.request_topic_urn))
    error_message = "request_topic_urn must be the URN of a topic, for example urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:requests, or empty."
  }
}

variable "request_type" {
  description = "Type by which a CloudEvent is a request."
  type        = string
  default     = "dds.backup.deletion.requested.v1"

  validation {
    condition     = can(regex("^[!-~]{1,128}$", var.request_type))
    error_message = "request_type must be 1 to 128 printable characters."
  }
}

variable "tick_minutes" {
  description = "Minutes between two ticks, which work what the ledger keeps until it is due."
  type        = number
  default     = 5

  validation {
    condition     = contains([1, 2, 3, 5, 10, 15, 20, 30, 60], var.tick_minutes)
    error_message = "tick_minutes must be 1, 2, 3, 5, 10, 15, 20, 30 or 60."
  }
}

variable "apig_instance_id" {
  description = "ID of a dedicated API Gateway instance for the HTTP API. Empty makes no HTTP API."
  type        = string
  default     = ""
}

variable "apig_auth" {
  description = "Who may call the HTTP API: IAM for users of Huawei Cloud, APP for an app's key and secret."
  type        = string
  default     = "IAM"

  validation {
    condition     = contains(["IAM", "APP"], var.apig_auth)
    error_message = "apig_auth must be IAM or APP. An API without authentication would let anyone delete backups."
  }
}

variable "http_base_path" {
  description = "Prefix of the paths of the HTTP API, for example /dds."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(/[A-Za-z0-9._~-]+)*$", var.http_base_path)) && !can(regex("^/(backups|deletions|healthz|v3)(/|$)", var.http_base_path)) && !can(regex("/[.]{1,2}(/|$)", var.http_base_path))
    error_message = "http_base_path must be a path that is none of the API's own, for example /dds, or empty."
  }
}

variable "kafka" {
  description = "A DMS for Kafka instance in the same subnet: instance_id, topic_ids of the topics that requests come from, batch_size (messages in a call, 1 to 1000), and user for SASL. Null for none."
  type = object({
    instance_id = string
    topic_ids   = list(string)
    batch_size  = optional(number, 10)
    user        = optional(string, "")
  })
  default = null

  validation {
    condition     = var.kafka == null ? true : length(var.kafka.topic_ids) > 0 && var.kafka.batch_size >= 1 && var.kafka.batch_size <= 1000
    error_message = "kafka must have one topic or more, and a batch_size of 1 to 1000."
  }
}

variable "kafka_password" {
  description = "Password of the user in kafka. Terraform keeps it in its state."
  type        = string
  default     = ""
  sensitive   = true
}

# --- Where outcomes go ---

variable "outcome_topic_urn" {
  description = "URN of an SMN topic that outcomes are published to. Empty makes one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(urn:smn:[a-z0-9-]+:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+)?$", var.outcome_topic_urn))
    error_message = "outcome_topic_urn must be the URN of a topic, for example urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:outcomes, or empty."
  }
}

variable "outcome_subscriptions" {
  description = "Who gets outcomes, for example [{ protocol = \"email\", endpoint = \"dba@example.com\" }]; the protocol is email or https. SMN sends each endpoint a message that it has to confirm. Without one, no outcome reaches a person."
  type        = list(object({ protocol = string, endpoint = string }))
  default     = []

  validation {
    condition     = !contains([for s in var.outcome_subscriptions : contains(["email", "https"], s.protocol)], false)
    error_message = "The protocol of outcome_subscriptions must be email or https."
  }
}

variable "alarm_subscriptions" {
  description = "Who gets alarms, and the records of requests that were given up: as outcome_subscriptions."
  type        = list(object({ protocol = string, endpoint = string }))
  default     = []

  validation {
    condition     = !contains([for s in var.alarm_subscriptions : contains(["email", "https"], s.protocol)], false)
    error_message = "The protocol of alarm_subscriptions must be email or https."
  }
}

# --- How it runs ---

variable "memory_size" {
  description = "Memory of an instance in MB."
  type        = number
  default     = 128

  validation {
    condition     = contains([128, 256, 512, 768, 1024], var.memory_size)
    error_message = "memory_size must be 128, 256, 512, 768 or 1024."
  }
}

variable "timeout" {
  description = "Seconds that an invocation may take."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout >= 10 && var.timeout <= 900
    error_message = "timeout must be 10 to 900."
  }
}

variable "max_instances" {
  description = "Instances at once. DDS's limit can feed only a few; 0 disables the function."
  type        = number
  default     = 4

  validation {
    condition     = var.max_instances >= 0 && var.max_instances <= 1000
    error_message = "max_instances must be 0 to 1000."
  }
}

variable "async_retries" {
  description = "How often FunctionGraph tries an asynchronous invocation again."
  type        = number
  default     = 3

  validation {
    condition     = var.async_retries >= 0 && var.async_retries <= 3
    error_message = "async_retries must be 0 to 3."
  }
}

variable "async_max_age" {
  description = "Seconds after which FunctionGraph gives an asynchronous invocation up."
  type        = number
  default     = 86400

  validation {
    condition     = var.async_max_age >= 60 && var.async_max_age <= 86400
    error_message = "async_max_age must be 60 to 86400."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 365
    error_message = "log_retention_days must be 1 to 365."
  }
}
