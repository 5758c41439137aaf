output "stack" {
  description = "The outputs of the stack, by name, for example stack[\"RequestQueueUrl\"]."
  value       = aws_cloudformation_stack.this.outputs
}
