output "function_urn" {
  description = "URN of the function."
  value       = huaweicloud_fgs_function.this.urn
}

output "function_name" {
  description = "Name of the function."
  value       = huaweicloud_fgs_function.this.name
}

output "agency_name" {
  description = "Agency that the function runs as."
  value       = huaweicloud_identity_agency.this.name
}

output "request_topic_urn" {
  description = "Publish {\"backup_id\":\"…\"} here."
  value       = local.request_topic
}

output "outcome_topic_urn" {
  description = "Outcomes are published here."
  value       = local.outcome_topic
}

output "failed_topic_urn" {
  description = "Records of asynchronous invocations that failed for good are published here."
  value       = huaweicloud_smn_topic.failed.topic_urn
}

output "alarm_topic_urn" {
  description = "Alarms are published here."
  value       = huaweicloud_smn_topic.alarms.topic_urn
}

output "tick_trigger_id" {
  description = "The TIMER trigger, which can be disabled to stop work on what is due."
  value       = huaweicloud_fgs_function_trigger.tick.id
}

output "api_group_id" {
  description = "API group of the HTTP API; null without one. Bind a domain to it and call DELETE /backups/{backup_id} there."
  value       = var.apig_instance_id == "" ? null : huaweicloud_apig_group.this[0].id
}

output "log_group_id" {
  description = "LTS log group of the function."
  value       = huaweicloud_lts_group.this.id
}

output "log_stream_id" {
  description = "LTS log stream with one line for each outcome."
  value       = huaweicloud_lts_stream.this.id
}
