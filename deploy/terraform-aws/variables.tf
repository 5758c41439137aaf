variable "aws_region" {
  description = "Region of AWS for the stack."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must be a region of AWS, for example eu-central-1."
  }
}

variable "bucket" {
  description = "An S3 bucket in that region, for the zip and the template."
  type        = string
}

variable "package" {
  description = "Path of the zip for Lambda on arm64."
  type        = string
}

variable "template" {
  description = "Path of the packaged template."
  type        = string
}

variable "name" {
  description = "Name of the stack."
  type        = string
  default     = "dds-backup-delete"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,65}$", var.name))
    error_message = "name must have 1 to 66 letters, digits and hyphens, for example dds-backup-delete, because queues are named after it."
  }
}

variable "secret_arn" {
  description = "ARN of the secret with the access key pair of the Huawei Cloud user."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$", var.secret_arn))
    error_message = "secret_arn must be the whole ARN of a secret, for example arn:aws:secretsmanager:eu-central-1:123456789012:secret:dds-backup-delete-AbCdEf."
  }
}

variable "project_id" {
  description = "Huawei Cloud project whose backups may be deleted."
  type        = string
}

variable "dds_region" {
  description = "Huawei Cloud region of the backups."
  type        = string
}

variable "dry_run" {
  description = "Check every request and publish its outcome, but delete nothing. Start with true."
  type        = bool
}

variable "parameters" {
  description = "Other parameters of the template, by name."
  type        = map(string)
  default     = {}

  validation {
    condition = length([for name in keys(var.parameters) : name if !contains([
      "AlarmEmail", "AlarmTopicArn", "AllowedProjects", "AllowedRegions", "BatchSize", "CloudDomain", "DdsConcurrency",
      "DdsRate", "DirectCalls", "Follow", "FollowAlarmAfter", "FunctionUrl", "HttpApi", "HttpBasePath", "HttpBurst", "HttpRate",
      "JwtAudience", "JwtIssuer", "JwtScope", "KmsKeyArn", "LogLevel", "LogRetentionDays", "MaxRequestAge", "MaximumConcurrency",
      "MemorySize", "Monitoring", "OldestRequestSeconds", "OutcomeArchiveDays", "OutcomeHttpAuth", "OutcomeHttpMode",
      "OutcomeSink", "OutcomeSinkKmsKeyArn", "PermissionsBoundaryArn", "QueueType", "RequestBusName", "RequestBusSource",
      "RequestTopicArn", "RequestTopicFilterPolicy", "RequestTopicFilterScope", "RequestType", "RequireManual",
      "SecretKmsKeyArn", "StopDeletions", "Tracing"
    ], name)]) == 0
    error_message = "parameters has a name that is no parameter of the template, or one that has a variable of its own. docs/operations.md has the names."
  }
}

variable "tags" {
  description = "Tags of the stack and of what it makes."
  type        = map(string)
  default     = {}
}
