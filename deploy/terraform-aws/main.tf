# The stack of dds-backup-delete on AWS, for teams without SAM: the zip and the packaged template in a bucket, and a
# CloudFormation stack of the template.
#
# It was never applied: there was no account to apply it to. README.md says what was checked.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0.0, < 7.0.0"
    }
  }
}

provider "aws" {
  region = var.aws_region
}

locals {
  code_key     = "${var.name}/${filemd5(var.package)}.zip"
  template     = replace(file(var.template), "/(\"?CodeUri\"?: )[^\\n,]+/", "$1\"s3://${var.bucket}/${local.code_key}\"")
  template_key = "${var.name}/${md5(local.template)}.template"
  domain       = length(regexall("^cn-", var.aws_region)) == 0 ? "amazonaws.com" : "amazonaws.com.cn"
}

# The old objects go last, because CloudFormation needs them if it rolls an update back.

resource "aws_s3_object" "code" {
  bucket = var.bucket
  key    = local.code_key
  source = var.package

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "template" {
  bucket  = var.bucket
  key     = local.template_key
  content = local.template

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(regexall("(?m)^ *<<: ", local.template)) == 0
      error_message = "The template has YAML merges, which CloudFormation does not know. Give the packaged template, as README.md says."
    }
    precondition {
      condition     = length(regexall("CodeUri\"?: \"s3://", local.template)) == 1
      error_message = "The template has no CodeUri, or several. Give the packaged template of dds-backup-delete."
    }
  }
}

resource "aws_cloudformation_stack" "this" {
  name         = var.name
  template_url = "https://${aws_s3_object.template.bucket}.s3.${var.aws_region}.${local.domain}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"] # it makes a role, and has SAM's transform
  tags         = var.tags

  parameters = merge(var.parameters, {
    HuaweiCloudSecretArn = var.secret_arn
    HuaweiCloudProjectId = var.project_id
    DdsRegion            = var.dds_region
    DryRun               = tostring(var.dry_run)
  })

  depends_on = [aws_s3_object.code]
}
