package sink

// What tests from outside need to see.
var QueueURL = queueURL
